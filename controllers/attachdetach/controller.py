"""What attaching and detaching watches and looks at. The key is a node's, whether or not its object is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from controllers.attachdetach.attachable import is_attachable
from controllers.attachdetach.plan import Attached, Seen, Wanted, plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from controllers.core.volumes import POD_CLAIM_FIELDS, claim_entry, claims_of
from machinery.model.attachments import attachment_name
from machinery.model.k8s.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from machinery.model.k8s.storage_v1 import CSIDriver, VolumeAttachment
from machinery.model.pods import is_terminal
from machinery.model.resources import (
    CSI_DRIVERS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    VOLUME_ATTACHMENTS,
)
from machinery.model.store import Change
from machinery.model.volume_matching import is_bound_to

_ON_NODE: Final = "with claims on node"  # pods
_USING: Final = "on a node with claim"  # pods
_OF_NODE: Final = "attachments of node"
_OF_VOLUME: Final = "attachments of volume"
_OF_DRIVER: Final = "of driver"  # volumes


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "attachdetach-controller",
        (
            Watched(reader.pods, reader.of_pod),
            Watched(reader.claims, reader.of_claim),
            Watched(reader.volumes, reader.of_volume),
            Watched(reader.attachments, reader.of_attachment),
            Watched(reader.drivers, reader.of_driver),
            Watched(reader.nodes, reader.of_node),
        ),
        reader.look,
        plan,
        writes=frozenset(
            {
                "patch nodes/status",
                "create volumeattachments.storage.k8s.io",
                "delete volumeattachments.storage.k8s.io",
            }
        ),
    )


class Reader:
    """Reads the caches, and remembers since when an attachment has been wanted by nobody."""

    def __init__(self, caches: Caches) -> None:
        self.pods = caches.ask(PODS, fields=POD_CLAIM_FIELDS, indexes={_ON_NODE: _on_node, _USING: _using})
        self.claims = caches.ask(PERSISTENT_VOLUME_CLAIMS)
        self.volumes = caches.ask(PERSISTENT_VOLUMES, indexes={_OF_DRIVER: _of_driver})
        self.attachments = caches.ask(
            VOLUME_ATTACHMENTS, indexes={_OF_NODE: _of_node, _OF_VOLUME: _of_volume}
        )
        self.drivers = caches.ask(CSI_DRIVERS)
        self.nodes = caches.ask(
            NODES,
            fields=(
                "metadata.annotations[volumes.kubernetes.io/controller-managed-attach-detach]",
                "spec.taints",
                "status.conditions",
                "status.volumesAttached",
                "status.volumesInUse",
            ),
        )
        self._since: dict[str, dict[str, float]] = {}  # node → attachment → monotonic seconds

    def look(self, key: Key, moment: Moment) -> Seen | None:
        """Return a node with the volumes that it is to have, and those that it has."""
        name = key[1]
        attached = list(self._attached(name))
        users = self._users(name)
        if not attached and not users:
            self._since.pop(name, None)
            node = self.nodes.store.get("", name)
            is_clean = node is None or not node.status.volumesAttached
            return None if is_clean else Seen(name, node, (), ())
        wanted = [self._wanted(name, volume, pods) for volume, pods in users]
        return Seen(
            name,
            self.nodes.store.get("", name),
            wanted,
            attached,
            self._unwanted(name, wanted, attached, moment),
        )

    def _attached(self, node: str) -> Iterator[Attached]:
        for attachment in self.attachments.store.by_index(_OF_NODE, node):
            volume = self.volumes.store.get("", attachment.spec.source.persistentVolumeName)
            if volume is None or volume.spec.csi is None:
                continue
            if attachment.metadata.name == attachment_name(volume.spec.csi, node):
                yield Attached(attachment, volume)

    def _users(self, node: str) -> list[tuple[PersistentVolume, list[Pod]]]:
        """Return the volumes that are to be attached to a node, each with its pods there."""
        found: dict[str, list[Pod]] = defaultdict(list)
        volumes: dict[str, PersistentVolume] = {}
        for pod in self.pods.store.by_index(_ON_NODE, node):
            for name in claims_of(pod):
                volume = self._volume_of(pod.metadata.namespace, name)
                if volume is not None:
                    volumes[volume.metadata.name] = volume
                    found[volume.metadata.name].append(pod)
        return [(volumes[name], pods) for name, pods in sorted(found.items())]

    def _volume_of(self, namespace: str, claim_name: str) -> PersistentVolume | None:
        claim = self.claims.store.get(namespace, claim_name)
        volume = (
            self.volumes.store.get("", claim.spec.volumeName) if claim and claim.spec.volumeName else None
        )
        if claim is None or volume is None or volume.spec.csi is None or not is_bound_to(volume, claim):
            return None
        return volume if is_attachable(volume, self.drivers.store.get("", volume.spec.csi.driver)) else None

    def _wanted(self, node: str, volume: PersistentVolume, pods: list[Pod]) -> Wanted:
        attachments = self.attachments.store.by_index(_OF_VOLUME, volume.metadata.name)
        elsewhere = [each for each in attachments if each.spec.nodeName != node]
        reference = volume.spec.claimRef
        entry = claim_entry(reference.namespace, reference.name) if reference else ""
        users = self.pods.store.by_index(_USING, entry) if elsewhere else ()
        return Wanted(volume, pods, elsewhere, [each for each in users if each.spec.nodeName != node])

    def _unwanted(
        self, node: str, wanted: list[Wanted], attached: list[Attached], moment: Moment
    ) -> dict[str, float]:
        """Return for how long each attachment has been wanted by nobody, as far as this process knows."""
        names = {attachment_name(each.volume.spec.csi, node) for each in wanted if each.volume.spec.csi}
        before, now_s = self._since.get(node, {}), moment.monotonic_s
        surplus = [
            each.attachment.metadata.name for each in attached if each.attachment.metadata.name not in names
        ]
        self._since[node] = {name: before.get(name, now_s) for name in surplus}
        return {name: now_s - since_s for name, since_s in self._since[node].items()}

    def of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the node of a pod that has claims."""
        for state in (change.old, change.new):
            if state is not None and state.spec.nodeName and any(claims_of(state)):
                yield "", state.spec.nodeName

    def of_claim(self, change: Change[PersistentVolumeClaim]) -> Iterator[Key]:
        """Return the nodes of the pods that use a claim."""
        meta = change.object.metadata
        return self._nodes_of(claim_entry(meta.namespace, meta.name))

    def of_volume(self, change: Change[PersistentVolume]) -> Iterator[Key]:
        """Return the nodes of the pods that use a driver's volume."""
        reference = change.object.spec.claimRef
        if change.object.spec.csi is not None and reference is not None:
            yield from self._nodes_of(claim_entry(reference.namespace, reference.name))

    def of_attachment(self, change: Change[VolumeAttachment]) -> Iterator[Key]:
        """Return the node of an attachment, and those that may wait for its volume."""
        yield "", change.object.spec.nodeName
        volume = self.volumes.store.get("", change.object.spec.source.persistentVolumeName)
        if change.new is None and volume is not None and (reference := volume.spec.claimRef):
            yield from self._nodes_of(claim_entry(reference.namespace, reference.name))

    def of_driver(self, change: Change[CSIDriver]) -> Iterator[Key]:
        """Return the nodes of the pods that use volumes of a driver."""
        for volume in self.volumes.store.by_index(_OF_DRIVER, change.object.metadata.name):
            if reference := volume.spec.claimRef:
                yield from self._nodes_of(claim_entry(reference.namespace, reference.name))

    def of_node(self, change: Change[Node]) -> Iterable[Key]:
        """Return a node that comes or goes, or says something else about its volumes; a heartbeat is no news."""
        old, new = change.old, change.new
        is_news = old is None or new is None or _told(old) != _told(new)
        name = change.object.metadata.name
        concerns = self.attachments.store.by_index(_OF_NODE, name) or self.pods.store.by_index(_ON_NODE, name)
        return (("", name),) if is_news and (concerns or change.object.status.volumesAttached) else ()

    def _nodes_of(self, entry: str) -> Iterator[Key]:
        return (("", pod.spec.nodeName) for pod in self.pods.store.by_index(_USING, entry))


def _told(node: Node) -> tuple[object, ...]:
    return node.metadata.annotations, node.spec.taints, node.status.volumesAttached, node.status.volumesInUse


def _on_node(pod: Pod) -> Iterable[str]:
    is_there = pod.spec.nodeName and not is_terminal(pod) and any(claims_of(pod))
    return (pod.spec.nodeName,) if is_there else ()


def _using(pod: Pod) -> Iterable[str]:
    if not pod.spec.nodeName or is_terminal(pod):
        return ()
    return [claim_entry(pod.metadata.namespace, name) for name in claims_of(pod)]


def _of_node(attachment: VolumeAttachment) -> Iterable[str]:
    return (attachment.spec.nodeName,)


def _of_volume(attachment: VolumeAttachment) -> Iterable[str]:
    name = attachment.spec.source.persistentVolumeName
    return (name,) if name else ()


def _of_driver(volume: PersistentVolume) -> Iterable[str]:
    return (volume.spec.csi.driver,) if volume.spec.csi else ()
