"""Plan for a pod: its claims from templates are there, its status names them, and it may use what is allocated.

A claim's name is generated. So a claim is made first, and found again by its owner and its annotation when the cache shows
it: whatever happens in between, none is made twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from controllers.core.actions import (
    NOTHING_TO_DO,
    WARNING,
    Action,
    Create,
    Facts,
    Lookup,
    Patch,
    Plan,
    RecordEvent,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.resource_claim.seen import SeenPod, is_done
from machinery.model.device_claims import (
    POD_CLAIM_NAME,
    PodClaim,
    can_be_reserved,
    is_reserved_for,
    pod_claims,
    user_of_claim,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.resource_v1 import ResourceClaim, ResourceClaimTemplate
from machinery.model.owners import is_controlled_by, owner_reference
from machinery.model.requests import PatchType
from machinery.model.resources import PODS, RESOURCE_CLAIMS

_FAILED: Final = "FailedResourceClaimCreation"
_LONGEST_BASE: Final = 57  # of a generated name: with a hyphen and five letters it is a label


def plan_pod(seen: SeenPod, facts: Facts) -> Plan:
    """Plan for a pod that may run; one that has ended, or is to go, needs nothing more."""
    if seen.pod.metadata.deletionTimestamp or is_done(seen.pod):
        return NOTHING_TO_DO
    missing = [each for each in pod_claims(seen.pod) if each.is_made and not _is_there(each, seen)]
    if questions := tuple(_questions(missing, seen, facts)):
        return Plan(needs=questions)
    missing = [each for each in missing if not _is_known_to_the_server(each, seen.pod, facts)]
    found = {each.name: seen.made[each.name].metadata.name for each in missing if each.name in seen.made}
    actions: list[Action] = [_creation(each, seen) for each in missing if each.name not in found]
    if found:
        actions.append(_named_in_status(seen.pod, found))
    return Plan((*actions, *_reservations(seen)))


def _is_there(claim: PodClaim, seen: SeenPod) -> bool:
    """Whether a claim of the pod has been made, or is not needed."""
    if claim.object is None:
        return True
    there = seen.claims.get(claim.object)
    return there is not None and is_controlled_by(there.metadata, seen.pod)


def _questions(missing: list[PodClaim], seen: SeenPod, facts: Facts) -> Iterator[Lookup]:
    """Ask live for those that the status names and the cache does not show: it may lag."""
    for each in missing:
        question = _question(each, seen.pod)
        if question and each.object not in seen.claims and question not in facts.objects:
            yield question


def _question(claim: PodClaim, pod: Pod) -> Lookup | None:
    return Lookup(RESOURCE_CLAIMS, pod.metadata.namespace, claim.object) if claim.object else None


def _is_known_to_the_server(claim: PodClaim, pod: Pod, facts: Facts) -> bool:
    question = _question(claim, pod)
    meta = facts.objects.get(question) if question else None
    return meta is not None and is_controlled_by(meta, pod)


def _creation(claim: PodClaim, seen: SeenPod) -> Action:
    name = _template_of(claim, seen.pod)
    template = seen.templates.get(name)
    if template is None:
        text = f'resource claim template "{name}": resourceclaimtemplate.resource.k8s.io "{name}" not found'
        return _failed(seen.pod, claim, text)
    made = _made_from(template, claim, seen.pod)
    failed = _failed(seen.pod, claim, "create ResourceClaim : {error}")
    return Create(RESOURCE_CLAIMS, made, on_failure=failed)


def _template_of(claim: PodClaim, pod: Pod) -> str:
    return next(each.resourceClaimTemplateName for each in pod.spec.resourceClaims if each.name == claim.name)


def _made_from(template: ResourceClaimTemplate, claim: PodClaim, pod: Pod) -> ResourceClaim:
    meta = ObjectMeta(
        generateName=base_name(pod.metadata.name, claim.name),
        namespace=pod.metadata.namespace,
        labels=template.spec.metadata.labels,
        annotations={**template.spec.metadata.annotations, POD_CLAIM_NAME: claim.name},
        ownerReferences=[owner_reference(pod)],
    )
    return ResourceClaim(metadata=meta, spec=template.spec.spec)


def base_name(pod_name: str, claim_name: str) -> str:
    """Return what a claim's name begins with; where it gets too long, both parts of it lose their share."""
    whole = f"{pod_name}-{claim_name}-"
    if len(whole) <= _LONGEST_BASE:
        return whole
    parts = (text[: len(text) * _LONGEST_BASE // len(whole)] for text in (pod_name, claim_name))
    return "-".join(parts)


def _named_in_status(pod: Pod, found: dict[str, str]) -> Patch:
    statuses = [{"name": name, "resourceClaimName": made} for name, made in found.items()]
    patch: dict[str, Any] = {
        "metadata": {"uid": pod.metadata.uid},
        "status": {"resourceClaimStatuses": statuses},
    }
    namespace, name = pod.metadata.namespace, pod.metadata.name
    return Patch(PODS, namespace, name, patch, "status", PatchType.STRATEGIC_MERGE, absent_is_fine=True)


def _reservations(seen: SeenPod) -> Iterator[Patch]:
    """Reserve what a pod uses that got its node without the scheduler."""
    pod = seen.pod
    if not pod.spec.nodeName:
        return
    for each in pod_claims(pod):
        claim = seen.claims.get(each.object or "")
        if claim is None or (each.is_made and not is_controlled_by(claim.metadata, pod)):
            continue
        is_free = not is_reserved_for(claim, pod.metadata.uid) and can_be_reserved(claim)
        if claim.status.allocation is not None and is_free:
            users = [*claim.status.reservedFor, user_of_claim(pod.metadata)]
            status = {"reservedFor": msgspec.to_builtins(users)}
            yield patch_at_revision(RESOURCE_CLAIMS, claim, {"status": status}, subresource="status")


def _failed(pod: Pod, claim: PodClaim, why: str) -> RecordEvent:
    return event(pod, WARNING, _FAILED, f"PodResourceClaim {claim.name}: {why}")
