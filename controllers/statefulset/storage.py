"""The claims of a StatefulSet's pods, and who owns them: that decides when they go.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
Retain owns nothing. A claim that is to go with the StatefulSet is owned by that; one that is to go when its pod is
scaled away is owned by the pod, from the moment that the pod is condemned: the garbage collector does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import msgspec

from controllers.core.actions import Create, Patch, event
from controllers.core.merge_patch import patch_at_revision
from controllers.core.metadata_only import MetadataOnly
from controllers.core.workloads import StatefulSet, Template
from controllers.statefulset.identity import claim_name, ordinal_of, ordinals, pod_name
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.owners import owner_reference
from machinery.model.resources import KubeObject, Resource

CLAIMS: Final = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True, type=MetadataOnly
)
_DELETE: Final = "Delete"

Known: TypeAlias = Mapping[str, MetadataOnly]  # claims that are there, by name


class NewClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A PersistentVolumeClaim to be created: its spec is the template's, field for field."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PersistentVolumeClaim")
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}


NEW_CLAIMS: Final = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True, type=NewClaim
)


@dataclass(frozen=True, slots=True)
class Policy:
    """When a StatefulSet's claims go."""

    when_deleted: bool
    when_scaled: bool

    @property
    def retains(self) -> bool:
        """Whether they never go by themselves."""
        return not self.when_deleted and not self.when_scaled


def policy_of(owner: StatefulSet) -> Policy:
    """Read the retention policy."""
    policy = owner.spec.persistentVolumeClaimRetentionPolicy
    return Policy(policy.whenDeleted == _DELETE, policy.whenScaled == _DELETE)


def missing(owner: StatefulSet, ordinal: int, known: Known) -> list[Create]:
    """Write the claims that a pod needs and that are not there."""
    return [
        _creation(owner, template, ordinal)
        for template in owner.spec.volumeClaimTemplates
        if claim_name(owner, template, ordinal) not in known
    ]


def leaving(owner: StatefulSet, ordinal: int, known: Known) -> str | None:
    """Return the name of a claim that a pod needs and that is being deleted: the next one of its name has to wait."""
    claims = (claim for claim in _claims_of(owner, ordinal, known) if claim.metadata.deletionTimestamp)
    return next((claim.metadata.name for claim in claims), None)


def is_stale(owner: StatefulSet, ordinal: int, known: Known) -> bool:
    """Whether a pod that is not there would get a claim that goes with the pod before it: it waits until that is gone."""
    if not policy_of(owner).when_scaled:
        return False
    name = pod_name(owner, ordinal)
    references = (
        ref for claim in _claims_of(owner, ordinal, known) for ref in claim.metadata.ownerReferences
    )
    return any(_names_pod(ref, name) for ref in references)


def ownership(owner: StatefulSet, pod: Pod, known: Known) -> list[Patch]:
    """Return the patches after which a pod's claims have the owners that the retention policy asks for.

    A claim of which somebody else is the controller is left to that; so is one that belonged to an earlier pod or
    StatefulSet of the same name.
    """
    if not owner.spec.volumeClaimTemplates:
        return []
    ordinal = ordinal_of(owner, pod.metadata.name)
    if ordinal is None:
        return []
    retains = policy_of(owner).retains
    return [
        patch
        for claim in _claims_of(owner, ordinal, known)
        if (claim.metadata.ownerReferences or not retains)
        and (patch := _owned(owner, pod, claim)) is not None
    ]


def _claims_of(owner: StatefulSet, ordinal: int, known: Known) -> Iterator[MetadataOnly]:
    for template in owner.spec.volumeClaimTemplates:
        claim = known.get(claim_name(owner, template, ordinal))
        if claim is not None:
            yield claim


def _creation(owner: StatefulSet, template: Template, ordinal: int) -> Create:
    name, metadata = claim_name(owner, template, ordinal), template.get("metadata") or {}
    owners = [owner_reference(owner)] if policy_of(owner).when_deleted else []
    claim = NewClaim(
        metadata=ObjectMeta(
            name=name,
            namespace=owner.metadata.namespace,
            labels=(metadata.get("labels") or {}) | owner.spec.selector.matchLabels,
            annotations=dict(metadata.get("annotations") or {}),
            ownerReferences=owners,
        ),
        spec=template.get("spec") or {},
    )
    pod, of = pod_name(owner, ordinal), owner.metadata.name
    return Create(
        NEW_CLAIMS,
        claim,
        on_success=event(
            owner,
            "Normal",
            "SuccessfulCreate",
            f"create Claim {name} Pod {pod} in StatefulSet {of} success",
        ),
        on_failure=event(
            owner,
            "Warning",
            "FailedCreate",
            f"create Claim {name} for Pod {pod} in StatefulSet {of} failed error: {{error}}",
        ),
        already_exists_is_fine=True,
    )


def _owned(owner: StatefulSet, pod: Pod, claim: MetadataOnly) -> Patch | None:
    """Return the patch of a claim's owners, None where they are as they should be, or not ours to change."""
    now = claim.metadata.ownerReferences
    if _is_of_predecessor(now, owner) or _is_of_predecessor(now, pod):
        return None
    theirs = [ref for ref in now if ref.uid not in {owner.metadata.uid, pod.metadata.uid}]
    wanted = [*theirs, *_wanted(owner, pod, theirs)]
    if sorted(map(_ownership_key, wanted)) == sorted(map(_ownership_key, now)):
        return None
    patch = {"metadata": {"ownerReferences": msgspec.to_builtins(wanted)}}
    written = patch_at_revision(CLAIMS, claim, patch)
    if not _has_controller(theirs) or policy_of(owner).retains:
        return written
    said = (
        f"PersistentVolumeClaim {claim.metadata.name} has a conflicting OwnerReference that acts as a managing "
        "controller, the retention policy is ignored for this claim"
    )
    return replace(written, on_success=event(owner, "Warning", "ConflictingController", said))


def _wanted(owner: StatefulSet, pod: Pod, theirs: list[OwnerReference]) -> list[OwnerReference]:
    policy = policy_of(owner)
    if policy.retains or _has_controller(theirs):
        return []
    is_condemned = ordinal_of(owner, pod.metadata.name) not in ordinals(owner)
    if policy.when_scaled and is_condemned:
        return [owner_reference(pod)]
    return [owner_reference(owner)] if policy.when_deleted else []


def _has_controller(references: list[OwnerReference]) -> bool:
    return any(ref.controller for ref in references)


def _is_of_predecessor(references: list[OwnerReference], obj: KubeObject) -> bool:
    """Whether an earlier object of the same kind and name is an owner."""
    return any(
        (ref.kind, ref.name) == (obj.kind, obj.metadata.name) and ref.uid != obj.metadata.uid
        for ref in references
    )


def _names_pod(ref: OwnerReference, name: str) -> bool:
    return (ref.apiVersion, ref.kind, ref.name) == ("v1", "Pod", name)


def _ownership_key(ref: OwnerReference) -> tuple[str, bool]:
    return ref.uid, bool(ref.controller)
