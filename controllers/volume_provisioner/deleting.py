"""Plan for a volume that this provisioner has made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    NOTHING_TO_DO,
    WARNING,
    Action,
    AskNode,
    Documents,
    Facts,
    Lookup,
    Plan,
    Refusal,
    delete,
    event,
)
from controllers.core.finalizers import with_finalizer, without_finalizer
from controllers.volume_provisioner.making import AGAIN_S, folders_of
from machinery.model.json_objects import Json, metadata, spec
from machinery.model.k8s.core_v1 import PersistentVolume
from machinery.model.node_folders import folder_path
from machinery.model.resources import NODES, PERSISTENT_VOLUMES
from machinery.model.storage import DELETION_PROTECTION, FOLDER_OF_NODE

_RELEASED: Final = "Released"
_DELETE: Final = "Delete"


@dataclass(frozen=True, slots=True)
class SeenVolume:
    """What the plan for a volume knows."""

    volume: PersistentVolume


def plan_volume(seen: SeenVolume, facts: Facts) -> Plan:
    """Plan for a volume: while it is to be deleted with its claim, it does not go before its folder does."""
    volume = seen.volume
    meta, is_ours = volume.metadata, volume.spec.persistentVolumeReclaimPolicy == _DELETE
    is_protected = DELETION_PROTECTION in meta.finalizers
    if is_ours != is_protected and not (is_ours and meta.deletionTimestamp):
        change = with_finalizer if is_ours else without_finalizer
        return Plan((change(PERSISTENT_VOLUMES, meta, DELETION_PROTECTION),))
    if not is_ours or not is_protected or volume.status.phase != _RELEASED:
        return NOTHING_TO_DO
    question = Documents(PERSISTENT_VOLUMES, "", meta.name)
    found = facts.documents.get(question)
    if found is None:
        return Plan(needs=(question,))
    if not any(_is_to_go(each, meta.uid) for each in found):
        return NOTHING_TO_DO  # the cache will show why
    return _delete(volume, facts)


def _is_to_go(document: Json, uid: str) -> bool:
    is_it = metadata(document).get("uid") == uid
    policy = spec(document).get("persistentVolumeReclaimPolicy")
    return is_it and policy == _DELETE and (document.get("status") or {}).get("phase") == _RELEASED


def _delete(volume: PersistentVolume, facts: Facts) -> Plan:
    """Have the folder removed, then the volume; that of a node which is gone went with its machine."""
    node = volume.metadata.annotations.get(FOLDER_OF_NODE, "")
    machine, page = Lookup(NODES, "", node), folders_of(node)
    if machine not in facts.objects:
        return Plan(needs=(machine,))
    if facts.objects[machine] is None:
        return Plan(_forget(volume))
    if page not in facts.answers:
        return Plan(needs=(page,))
    answer = facts.answers[page]
    if isinstance(answer, Refusal):
        text = (
            f'the folder of the volume cannot be removed now, node "{node}" is asked again: {answer.message}'
        )
        return Plan((event(volume, WARNING, "VolumeFailedDelete", text),), requeue_after_s=AGAIN_S)
    failed = event(volume, WARNING, "VolumeFailedDelete", "{error}")
    removed = AskNode(node, "Delete", folder_path(volume.metadata.name), on_failure=failed)
    return Plan((removed, *_forget(volume)))


def _forget(volume: PersistentVolume) -> tuple[Action, ...]:
    """Delete the volume, then let it go."""
    freed = without_finalizer(PERSISTENT_VOLUMES, volume.metadata, DELETION_PROTECTION)
    return (freed,) if volume.metadata.deletionTimestamp else (delete(PERSISTENT_VOLUMES, volume),)
