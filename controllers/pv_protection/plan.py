"""Plan for one volume: it has the finalizer while it is not deleted, and while it is bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Documents, Facts, Plan
from controllers.core.finalizers import with_finalizer, without_finalizer
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource
from machinery.model.storage import VOLUME_PROTECTION

VOLUMES: Final = Resource(
    "", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, type=MetadataOnly
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    volume: ObjectMeta


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a volume; whether it is bound is asked live."""
    volume = seen.volume
    has_finalizer = VOLUME_PROTECTION in volume.finalizers
    if not volume.deletionTimestamp:
        return NOTHING_TO_DO if has_finalizer else Plan((with_finalizer(VOLUMES, volume, VOLUME_PROTECTION),))
    if not has_finalizer:
        return NOTHING_TO_DO
    question = Documents(VOLUMES, "", volume.name)
    found = facts.documents.get(question)
    if found is None:
        return Plan(needs=(question,))
    if any((each.get("status") or {}).get("phase") == "Bound" for each in found):
        return NOTHING_TO_DO
    return Plan((without_finalizer(VOLUMES, volume, VOLUME_PROTECTION),))
