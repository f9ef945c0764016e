"""Plan for one node: its volumes are attached, and those that it has no use for are detached.

Each plan is one step: the change that it makes brings the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from controllers.attachdetach.attachable import is_exclusive, is_managed
from controllers.core.actions import (
    NO_FACTS,
    NORMAL,
    WARNING,
    Action,
    AllAtOnce,
    Create,
    Facts,
    Plan,
    RecordEvent,
    Write,
    delete,
    event,
    soonest,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.core.nodes import is_node_ready
from machinery.model.attachments import attachment_name, name_of_volume
from machinery.model.k8s.core_v1 import AttachedVolume, Node, PersistentVolume, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.storage_v1 import (
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
)
from machinery.model.resources import NODES, VOLUME_ATTACHMENTS
from machinery.model.taints import OUT_OF_SERVICE

UNMOUNT_S: Final = 360.0  # cluster seconds that a node has for unmounting before a lost one is not waited for


@dataclass(frozen=True, slots=True)
class Wanted:
    """A volume that a node is to have."""

    volume: PersistentVolume
    pods: Sequence[Pod]  # of the node, that use it
    elsewhere: Sequence[VolumeAttachment] = ()  # its attachments to other nodes
    others: Sequence[Pod] = ()  # on other nodes, that use it


@dataclass(frozen=True, slots=True)
class Attached:
    """A volume that has an attachment to the node."""

    attachment: VolumeAttachment
    volume: PersistentVolume


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    name: str  # of the node
    node: Node | None
    wanted: Sequence[Wanted]
    attached: Sequence[Attached]
    unwanted_s: Mapping[str, float] = field(
        default_factory=dict
    )  # by attachment: for how long nobody wants it


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a node: first what its status says, then attachments; those that go before those that come."""
    wanted = {_name(each.volume, seen.name): each for each in seen.wanted}
    surplus = [each for each in seen.attached if each.attachment.metadata.name not in wanted]
    waits = {each.attachment.metadata.name: _wait_s(seen, each) for each in surplus}
    free = [each for each in surplus if waits[each.attachment.metadata.name] is None]
    requeue = soonest(*waits.values())
    said = _say_attached(seen, wanted, free)
    if said:
        return Plan(said, requeue_after_s=requeue)
    return Plan((*_detach(free), *_attach(seen, wanted)), requeue_after_s=requeue)


def _name(volume: PersistentVolume, node: str) -> str:
    return attachment_name(volume.spec.csi, node) if volume.spec.csi else ""


def _wait_s(seen: Seen, surplus: Attached) -> float | None:
    """Return how long a volume that nobody wants is still waited for, None where it can be detached now.

    What a node has in use is detached only when the node is lost: after a while, or where somebody has said so.
    """
    source, node = surplus.volume.spec.csi, seen.node
    is_used = node is None or (source is not None and name_of_volume(source) in node.status.volumesInUse)
    if not is_used or (node is not None and any(each.key == OUT_OF_SERVICE for each in node.spec.taints)):
        return None
    left_s = UNMOUNT_S - seen.unwanted_s.get(surplus.attachment.metadata.name, 0.0)
    if left_s > 0:
        return left_s
    return UNMOUNT_S if node is not None and is_node_ready(node) else None


def _say_attached(seen: Seen, wanted: Mapping[str, Wanted], free: Sequence[Attached]) -> tuple[Action, ...]:
    """Bring the node's list to what is attached and is not to be detached; pods are told of what came."""
    if seen.node is None:
        return ()
    freed = {each.attachment.metadata.name for each in free}
    listed = {each.name for each in seen.node.status.volumesAttached}
    ready = [each for each in seen.attached if _is_ready(each) and each.attachment.metadata.name not in freed]
    names = {name_of_volume(each.volume.spec.csi): each for each in ready if each.volume.spec.csi}
    if set(names) == listed:
        return ()
    volumes = [msgspec.to_builtins(AttachedVolume(name=name, devicePath="")) for name in sorted(names)]
    status = {"status": {"volumesAttached": volumes}}
    came = [names[name].attachment.metadata.name for name in sorted(set(names) - listed)]
    return (
        patch_at_revision(NODES, seen.node, status, subresource="status"),
        *(said for name in came if name in wanted for said in _succeeded(wanted[name])),
    )


def _is_ready(attached: Attached) -> bool:
    found = attached.attachment
    return found.status.attached and not found.metadata.deletionTimestamp


def _succeeded(wanted: Wanted) -> Iterator[RecordEvent]:
    text = f'AttachVolume.Attach succeeded for volume "{wanted.volume.metadata.name}" '
    return (event(pod, NORMAL, "SuccessfulAttachVolume", text) for pod in wanted.pods)


def _detach(free: Sequence[Attached]) -> Iterator[Action]:
    going: list[Write] = [
        delete(VOLUME_ATTACHMENTS, each.attachment)
        for each in free
        if not each.attachment.metadata.deletionTimestamp
    ]
    if going:
        yield AllAtOnce(tuple(going))


def _attach(seen: Seen, wanted: Mapping[str, Wanted]) -> Iterator[Action]:
    """Make the attachments that are missing, and say what keeps the others."""
    there = {each.attachment.metadata.name: each.attachment for each in seen.attached}
    if seen.node is None or not is_managed(seen.node):
        return
    for name, each in wanted.items():
        found = there.get(name)
        if found is not None:
            yield from _failed(each, found)
        elif each.elsewhere and is_exclusive(each.volume):
            yield from _taken(each)
        else:
            yield Create(VOLUME_ATTACHMENTS, _attachment(name, each.volume, seen.name))


def _attachment(name: str, volume: PersistentVolume, node: str) -> VolumeAttachment:
    source = VolumeAttachmentSource(persistentVolumeName=volume.metadata.name)
    attacher = volume.spec.csi.driver if volume.spec.csi else ""
    return VolumeAttachment(
        metadata=ObjectMeta(name=name),
        spec=VolumeAttachmentSpec(attacher=attacher, nodeName=node, source=source),
        status=VolumeAttachmentStatus(attached=False),
    )


def _failed(wanted: Wanted, attachment: VolumeAttachment) -> Iterator[RecordEvent]:
    error = attachment.status.attachError
    if error is None or attachment.status.attached:
        return
    text = f'AttachVolume.Attach failed for volume "{wanted.volume.metadata.name}" : {error.message}'
    yield from (event(pod, WARNING, "FailedAttachVolume", text) for pod in wanted.pods)


def _taken(wanted: Wanted) -> Iterator[RecordEvent]:
    """Say that a volume that one node can have is still another's."""
    for pod in wanted.pods:
        near = [
            each.metadata.name for each in wanted.others if each.metadata.namespace == pod.metadata.namespace
        ]
        far = len(wanted.others) - len(near)
        who = f"Volume is already used by pod(s) {', '.join(near)}" if near else ""
        if near and far:
            who += f" and {far} pod(s) in different namespaces"
        elif far:
            who = f"Volume is already used by {far} pod(s) in different namespaces"
        why = who or "Volume is already exclusively attached to one node and can't be attached to another"
        text = f'Multi-Attach error for volume "{wanted.volume.metadata.name}" {why}'
        yield event(pod, WARNING, "FailedAttachVolume", text)
