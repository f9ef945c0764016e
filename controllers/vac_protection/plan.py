"""Plan for one class: it has the finalizer while it is not deleted, and while a claim or a volume has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Documents, Facts, Plan
from controllers.core.finalizers import with_finalizer, without_finalizer
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from machinery.model.json_objects import Json, spec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, Resource
from machinery.model.storage import ATTRIBUTES_PROTECTION

CLASSES: Final = Resource(
    "storage.k8s.io",
    "v1",
    "volumeattributesclasses",
    "VolumeAttributesClass",
    namespaced=False,
    type=MetadataOnly,
)
_QUESTIONS: Final = (Documents(PERSISTENT_VOLUME_CLAIMS, ""), Documents(PERSISTENT_VOLUMES, ""))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    of_class: ObjectMeta
    is_used: bool  # as far as the caches know


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a class; that nobody has it is asked live before it goes."""
    meta = seen.of_class
    has_finalizer = ATTRIBUTES_PROTECTION in meta.finalizers
    if not meta.deletionTimestamp:
        return (
            NOTHING_TO_DO if has_finalizer else Plan((with_finalizer(CLASSES, meta, ATTRIBUTES_PROTECTION),))
        )
    if not has_finalizer or seen.is_used:
        return NOTHING_TO_DO
    found = [facts.documents.get(question) for question in _QUESTIONS]
    if any(each is None for each in found):
        return Plan(needs=_QUESTIONS)
    if any(meta.name in _classes_of(obj) for objects in found for obj in objects or ()):
        return NOTHING_TO_DO
    return Plan((without_finalizer(CLASSES, meta, ATTRIBUTES_PROTECTION),))


def _classes_of(obj: Json) -> Iterator[str]:
    """Return the classes that a claim or a volume has, is to have, or is on its way to."""
    status = obj.get("status") or {}
    yield str(spec(obj).get("volumeAttributesClassName") or "")
    yield str(status.get("currentVolumeAttributesClassName") or "")
    yield str((status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName") or "")
