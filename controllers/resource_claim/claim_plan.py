"""Plan for a claim: pods that have ended do not use it, without users it has no devices, without its pod it goes.

reserved for pods that are gone ─▶ reserved for the rest ─▶ none: its devices are free ─▶ the finalizer goes
                                                          └─▶ made for a pod that has ended: it is deleted
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from controllers.core.actions import NOTHING_TO_DO, Facts, Lookup, Plan, delete
from controllers.core.finalizers import without_finalizer
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.resource_claim.seen import SeenClaim, is_done
from machinery.model.device_claims import CLAIM_FINALIZER
from machinery.model.k8s.resource_v1 import ResourceClaim, ResourceClaimConsumerReference
from machinery.model.owners import controller_of
from machinery.model.resources import PODS, RESOURCE_CLAIMS

IDLE_S: Final = 5.0  # cluster seconds that a finalizer stays without devices: who allocates adds it first


def plan_claim(seen: SeenClaim, moment: Moment, facts: Facts) -> Plan:
    """Plan for a claim; whether a pod is gone that the cache does not show is asked live."""
    claim = seen.claim
    users = claim.status.reservedFor
    if any((each.apiGroup, each.resource) != ("", "pods") for each in users):
        return NOTHING_TO_DO  # whoever put others there knows when they are done
    questions = [_question(claim, each) for each in users if each.name not in seen.pods]
    if unanswered := tuple(each for each in questions if each not in facts.objects):
        return Plan(needs=unanswered)
    left = [each for each in users if _uses(each, seen, facts)]
    if len(left) < len(users):
        return Plan((_freed(claim, left),))
    return NOTHING_TO_DO if left else _without_users(seen, moment)


def _question(claim: ResourceClaim, user: ResourceClaimConsumerReference) -> Lookup:
    return Lookup(PODS, claim.metadata.namespace, user.name)


def _uses(user: ResourceClaimConsumerReference, seen: SeenClaim, facts: Facts) -> bool:
    if (pod := seen.pods.get(user.name)) is not None:
        return pod.metadata.uid == user.uid and not is_done(pod)
    found = facts.objects[_question(seen.claim, user)]
    return found is not None and found.uid == user.uid


def _freed(claim: ResourceClaim, left: list[ResourceClaimConsumerReference]) -> Any:
    """Remove users; with the last one the devices."""
    status: dict[str, Any] = {"reservedFor": msgspec.to_builtins(left) or None}
    if not left and CLAIM_FINALIZER in claim.metadata.finalizers:
        status["allocation"] = None
    return patch_at_revision(RESOURCE_CLAIMS, claim, {"status": status}, subresource="status")


def _without_users(seen: SeenClaim, moment: Moment) -> Plan:
    claim = seen.claim
    is_held = CLAIM_FINALIZER in claim.metadata.finalizers
    if is_held and claim.metadata.deletionTimestamp:
        if claim.status.allocation is not None:
            return Plan((_freed(claim, []),))
        return Plan((without_finalizer(RESOURCE_CLAIMS, claim.metadata, CLAIM_FINALIZER),))
    if _has_lost_its_pod(seen) and not claim.metadata.deletionTimestamp:
        return Plan((delete(RESOURCE_CLAIMS, claim),))
    if seen.idle_since_s is None:
        return NOTHING_TO_DO
    left_s = seen.idle_since_s + IDLE_S - moment.monotonic_s
    if left_s > 0:
        return Plan(requeue_after_s=left_s)
    return Plan((without_finalizer(RESOURCE_CLAIMS, claim.metadata, CLAIM_FINALIZER),))


def _has_lost_its_pod(seen: SeenClaim) -> bool:
    """Whether it was made for a pod that has ended or been replaced; one that is not known is the garbage collector's."""
    owner = controller_of(seen.claim.metadata)
    if owner is None or (owner.apiVersion, owner.kind) != ("v1", "Pod"):
        return False
    pod = seen.pods.get(owner.name)
    return pod is not None and (pod.metadata.uid != owner.uid or is_done(pod))
