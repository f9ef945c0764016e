"""Plan for one claim: it has the finalizer while it is not deleted, and while a pod that has a node uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Documents, Facts, Plan
from controllers.core.finalizers import with_finalizer, without_finalizer
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from machinery.model.json_objects import Json, metadata, spec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import PODS, Resource
from machinery.model.storage import CLAIM_PROTECTION

CLAIMS: Final = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True, type=MetadataOnly
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    claim: ObjectMeta


def leaves(claim: ObjectMeta) -> bool:
    """Whether a claim is deleted and waits for the finalizer to go."""
    return bool(claim.deletionTimestamp) and CLAIM_PROTECTION in claim.finalizers


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a claim; who uses it is asked live."""
    claim = seen.claim
    if not claim.deletionTimestamp and CLAIM_PROTECTION not in claim.finalizers:
        return Plan((with_finalizer(CLAIMS, claim, CLAIM_PROTECTION),))
    if not leaves(claim):
        return NOTHING_TO_DO
    question = Documents(PODS, claim.namespace)
    pods = facts.documents.get(question)
    if pods is None:
        return Plan(needs=(question,))
    if any(claim.name in _claims_of(pod) for pod in pods if spec(pod).get("nodeName")):
        return NOTHING_TO_DO
    return Plan((without_finalizer(CLAIMS, claim, CLAIM_PROTECTION),))


def _claims_of(pod: Json) -> Iterator[str]:
    for volume in spec(pod).get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield str(claim.get("claimName", ""))
        elif "ephemeral" in volume:
            yield f"{metadata(pod).get('name', '')}-{volume.get('name', '')}"
