"""What the node lifecycle controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_NODE, by_node
from controllers.core.keys import key_of, node_of_pod
from controllers.core.moment import Moment
from controllers.core.nodes import is_node_ready
from controllers.node_lifecycle.heartbeats import Heartbeats
from controllers.node_lifecycle.plan import LEASE_NAMESPACE, Removed, Seen, is_silent, plan, wants_turn
from controllers.node_lifecycle.zones import Throttle, Zones, zone_of
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.requests import EventType
from machinery.model.resources import LEASES, NODES, PODS
from machinery.model.store import Change

NODE_FIELDS: Final = ("metadata.labels", "spec.taints", "spec.unschedulable", "status.conditions")
BY_ZONE: Final = "zone"
POD_FIELDS: Final = ("spec.nodeName", "status.conditions", "status.phase")


def build(caches: Caches, settings: Settings) -> Controller[Seen | Removed]:
    """Build the controller."""
    reader = Reader(caches, settings)
    return Controller(
        "node-controller",
        (Watched(reader.nodes, reader.nodes_by_health), Watched(reader.pods, reader.unhealthy_node_of_pod)),
        reader.look,
        plan,
        notes=(Noted(reader.nodes, reader.note_node), Noted(reader.leases, reader.note_lease)),
        workers=8,
        heard=reader.note_answer,
        writes=frozenset({"patch nodes", "patch nodes/status", "patch pods/status"}),
    )


class Reader:
    """Reads the caches, and remembers heartbeats, the health of zones, their turns, and who was announced."""

    def __init__(self, caches: Caches, settings: Settings) -> None:
        self.nodes = caches.ask(NODES, fields=NODE_FIELDS, indexes={BY_ZONE: by_zone})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_NODE: by_node})
        self.leases = caches.ask(LEASES, fields=("spec.holderIdentity", "spec.renewTime"))
        self._intervals = settings.intervals
        self._heartbeats = Heartbeats()
        self._zones = Zones(settings.evictions)
        self._throttle = Throttle()
        self._announced: set[str] = set()  # uids of nodes whose arrival has an Event
        self._removed: dict[str, Node] = {}  # that are gone, until that has an Event

    def look(self, key: Key, moment: Moment) -> Seen | Removed | None:
        """Return a node with its pods, and how it is with them. Uses up its zone's turn for a node that wants it."""
        name, now_s = key[1], moment.monotonic_s
        node = self.nodes.store.get("", name)
        if node is None:
            gone = self._removed.pop(name, None)
            return None if gone is None else Removed(gone)
        lease = self.leases.store.get(LEASE_NAMESPACE, name)
        seen = Seen(
            node,
            self.pods.store.by_index(BY_NODE, name),
            self._intervals,
            silent_s=self._heartbeats.age_s(name, now_s),
            unready_s=self._heartbeats.unready_s(name, now_s),
            lease_revision=lease.metadata.resourceVersion if lease else "",
            disruption=self._zones.disruption(zone_of(node)),
            is_blind=self._heartbeats.is_blind,
        )
        return seen if is_silent(seen) else self._announced_once(take_turn(seen, self._throttle, now_s))

    def note_node(self, change: Change[Node], now_s: float) -> None:
        """Note a sign of life, or forget a node that is gone."""
        node = change.object
        if change.kind is EventType.DELETED:
            self._heartbeats.forget(node.metadata.name)
            if node.metadata.uid in self._announced:
                self._announced.discard(node.metadata.uid)
                self._removed[node.metadata.name] = node
        else:
            self._removed.pop(node.metadata.name, None)
            self._heartbeats.saw_node(node, now_s)

    def note_lease(self, change: Change[Lease], now_s: float) -> None:
        """Note a sign of life."""
        lease = change.object
        if lease.metadata.namespace == LEASE_NAMESPACE and change.kind is not EventType.DELETED:
            self._heartbeats.saw_lease(lease, now_s)

    def note_answer(self, answers: bool, now_s: float) -> None:  # noqa: FBT001 - see Controller.heard
        """Note whether the apiserver can be reached: while it cannot, nobody can be heard."""
        if answers:
            self._heartbeats.regain_sight(now_s)
        else:
            self._heartbeats.lose_sight()

    def nodes_by_health(self, change: Change[Node]) -> Iterable[Key]:
        """Return the node, and all nodes of the zones whose health as a whole has changed with it."""
        node = change.object
        gone = change.kind is EventType.DELETED
        shifted = self._zones.drop(node.metadata.name) if gone else self._zones.put(node)
        of_zones = (self.nodes.store.by_index(BY_ZONE, zone) for zone in sorted(shifted))
        others = [key_of(other.metadata) for nodes in of_zones for other in nodes]
        return dict.fromkeys((key_of(node.metadata), *others))

    def unhealthy_node_of_pod(self, change: Change[Pod]) -> Iterable[Key]:
        """Return the node that a pod has come to, where that is not Ready.

        What a kubelet says of its pods while its node counts as not Ready is left until the node says something: a kubelet
        that is back contradicts at once, and the two would go on and on.
        """
        if change.old is not None and node_of_pod(change) == change.old.spec.nodeName:
            return ()
        node = self.nodes.store.get("", node_of_pod(change))
        return (key_of(node.metadata),) if node is not None and not is_node_ready(node) else ()

    def _announced_once(self, seen: Seen) -> Seen:
        uid = seen.node.metadata.uid
        if uid in self._announced:
            return seen
        self._announced.add(uid)
        return replace(seen, is_new=True)


def by_zone(node: Node) -> Iterable[str]:
    """Index nodes by their failure domain."""
    return (zone_of(node),)


def take_turn(seen: Seen, throttle: Throttle, now_s: float) -> Seen:
    """Return what is seen with its zone's turn used up for a node that wants one: it says then whether the node has it."""
    if not wants_turn(seen):
        return seen
    rate = seen.disruption.evictions_per_s
    turn_in_s = throttle.take(zone_of(seen.node), seen.node.metadata.uid, rate, now_s)
    return replace(seen, turn_in_s=turn_in_s)
