"""A pod's claims of devices, as the apiserver, the controllers, the scheduler and the kubelet read them.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.resource_v1 import ResourceClaim, ResourceClaimConsumerReference
from machinery.model.owners import is_controlled_by

POD_CLAIM_NAME: Final = "resource.kubernetes.io/pod-claim-name"
"""The annotation of a claim that was made for a pod: which of the pod's claims it is."""

CLAIM_FINALIZER: Final = "resource.kubernetes.io/delete-protection"
"""The finalizer of a claim that has its devices."""

MOST_RESERVED: Final = 256  # users of one claim
MOST_ALLOCATED: Final = 32  # devices of one claim


class PodClaim(NamedTuple):
    """One of the claims of a pod."""

    name: str  # in the pod
    object: str | None  # the ResourceClaim; None: none is needed, "" none has been made so far
    is_made: bool  # from a template, for this pod


def pod_claims(pod: Pod) -> Iterator[PodClaim]:
    """Yield the claims of a pod, in their order."""
    made = {each.name: each.resourceClaimName or None for each in pod.status.resourceClaimStatuses}
    for each in pod.spec.resourceClaims:
        if each.resourceClaimName:
            yield PodClaim(each.name, each.resourceClaimName, is_made=False)
        else:
            yield PodClaim(each.name, made.get(each.name, ""), is_made=True)


def claim_names_of(pod: Any) -> dict[str, str]:
    """Return the ResourceClaims of a pod that there are by now, by their names in the pod; the pod is JSON."""
    made = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    known = {each.get("name", ""): each.get("resourceClaimName") for each in made}
    found: dict[str, str] = {}
    for each in (pod.get("spec") or {}).get("resourceClaims") or ():
        name = each.get("name", "")
        if claim := each.get("resourceClaimName") or known.get(name):
            found[name] = claim
    return found


def not_owner(claim: ResourceClaim, pod: Pod) -> str:
    """Say that a claim was made for another pod than this one; "" where it was made for this one."""
    if is_controlled_by(claim.metadata, pod):
        return ""
    return not_made_for(claim.metadata, pod.metadata.namespace, pod.metadata.name)


def not_made_for(claim: ObjectMeta, namespace: str, pod_name: str) -> str:
    """Say that a claim was made for another pod."""
    return (
        f"ResourceClaim {claim.namespace}/{claim.name} was not created for pod {namespace}/{pod_name} "
        "(pod is not owner)"
    )


def is_reserved_for(claim: ResourceClaim, pod_uid: str) -> bool:
    """Whether a pod may use a claim."""
    return any(each.uid == pod_uid for each in claim.status.reservedFor)


def can_be_reserved(claim: ResourceClaim) -> bool:
    """Whether one more pod could use a claim."""
    return len(claim.status.reservedFor) < MOST_RESERVED


def user_of_claim(pod: ObjectMeta) -> ResourceClaimConsumerReference:
    """Return how a pod stands among the users of a claim."""
    return ResourceClaimConsumerReference(resource="pods", name=pod.name, uid=pod.uid)
