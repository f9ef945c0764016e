"""The cost of an event and of a decision follows what it concerns: the same beside N nodes, pods, Services and claims of devices and 10 N.

A pod of a template that is not among the last 64 is compared with every node; those after it with what has changed since.
A pod that goes wakes all that it may have kept from a node. One that fits nowhere while pods of a lower priority run is
told of every node what preemption would find there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from machinery.client.informer import Informer
from machinery.model.k8s.apps_v1 import ReplicaSet
from machinery.model.k8s.core_v1 import (
    Affinity,
    Node,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Service,
    ServiceSpec,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.resource_v1 import AllocationResult, DeviceClass, ResourceClaim, ResourceSlice
from machinery.model.log import SILENT
from machinery.model.requests import EventType, WatchEvent
from machinery.model.resources import (
    DEVICE_CLASSES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    SERVICES,
)
from scheduler.cluster_watch import ClusterWatch
from scheduler.core.evaluations import Evaluations
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind, Unschedulable, schedule
from tests.support import builders, device_claims, devices
from tests.support.builders import changed
from tests.support.virtual_clock import VirtualClock
from tests.support.visits import counted

N = 12
NOW_S = 100.0
KINDS = {Node: NODES, Pod: PODS, Service: SERVICES, ReplicaSet: REPLICA_SETS}
KINDS |= {DeviceClass: DEVICE_CLASSES, ResourceClaim: RESOURCE_CLAIMS, ResourceSlice: RESOURCE_SLICES}
LONELY = [PodAffinityTerm(topologyKey="zone", labelSelector=LabelSelector(matchLabels={"app": "lonely"}))]
REPELLING = Affinity(podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=LONELY))
SEEKING = Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=LONELY))


def node(index: int, **fields: Any) -> Node:
    """Return a node with a hostname and one of three zones."""
    labels = {"kubernetes.io/hostname": f"node-{index}", "topology.kubernetes.io/zone": f"zone-{index % 3}"}
    return changed(builders.node(f"node-{index}", **fields), metadata__labels=labels)


def pod(name: str, app: int, *, on: int | None = None, huge: bool = False, **spec: Any) -> Pod:
    """Return a pod of an app; all have one template, except for those that fit nowhere."""
    return builders.pod(
        name,
        node=f"node-{on}" if on is not None else "",
        labels={"app": f"web-{app}", "tier": "all"},
        requests={"cpu": "4" if huge else "1m"},  # as much as a node has, and each has pods
        **spec,
    )


def service(index: int) -> Service:
    """Return a Service of an app."""
    selector = {"app": f"web-{index}", "tier": "all"}
    return Service(metadata=builders.meta(f"svc-{index}", "default"), spec=ServiceSpec(selector=selector))


def replica_set(index: int) -> ReplicaSet:
    """Return a ReplicaSet of an app."""
    selector = LabelSelector(matchLabels={"app": f"web-{index}"})
    return changed(builders.replica_set(f"rs-{index}"), spec__selector=selector)


def cards(index: int, *names: str) -> ResourceSlice:
    """Return the devices of a node."""
    return devices.slice_of(*map(devices.device, names or ("a", "b")), node=f"node-{index}")


def claim_of(name: str, device: str = "", *, on: int = 1) -> ResourceClaim:
    """Return a claim of one device, one that has it if it is named."""
    claim = device_claims.claim(name, device_claims.claim_spec(devices.request()))
    if not device:
        return claim
    result = {"request": "card", "driver": devices.DRIVER, "pool": f"node-{on}", "device": device}
    allocation = msgspec.convert({"devices": {"results": [result]}}, AllocationResult)
    return changed(claim, status__allocation=allocation)


class World:
    """What a scheduler knows, and its decisions."""

    def __init__(self, count: int) -> None:
        self.watch = ClusterWatch(
            None,  # type: ignore[arg-type]  # nothing is asked
            profiles={DEFAULT.scheduler_name: DEFAULT},
            clock=VirtualClock(),
            log=SILENT,
            on_change=lambda: None,
            on_unreadable=lambda _pod, _error: None,
        )
        self.evaluations = Evaluations(self.watch.snapshot, DEFAULT)
        self.told: list[str] = []
        self._revision = 1
        for index in range(count):
            self.put(node(index), service(index), replica_set(index))
            self.put(pod(f"web-{index}", index, on=index))
            self.put(pod(f"repels-{index}", index, on=index, affinity=REPELLING))
            self.put(pod(f"waits-{index}", 1, huge=True), pod(f"seeks-{index}", 1, affinity=SEEKING))
            self.put(cards(index), claim_of(f"has-{index}", "a", on=index))
        self.put(devices.device_class(), claim_of("card"))
        self.put(pod("first", 1))  # of the template that all decisions are about
        self.put(device_claims.pod("first-card", shared="card"))  # so are those about devices
        self.settle()
        assert len(self.told) == 2 * count

    def put(self, *objects: Any) -> None:
        """Add or change objects."""
        for obj in objects:
            self._revision += 1
            self._tell(EventType.MODIFIED, changed(obj, metadata__resourceVersion=str(self._revision)))

    def drop(self, obj: Any) -> None:
        """Remove an object."""
        self._tell(EventType.DELETED, obj)

    def confirm(self, name: str) -> None:
        """Show a pod on the node that was chosen for it."""
        assumed = self.watch.snapshot.pod(pod(name, 1).metadata.uid)
        assert assumed
        self.put(pod(name, 1, on=int(assumed.node.removeprefix("node-"))))

    def settle(self) -> None:
        """Decide about every pod that is due, as the loop does."""
        queue = self.watch.queue
        while (item := queue.pop(NOW_S)) is not None:
            match schedule(item.pod, self.watch.snapshot, self.evaluations, tie_break=0.0):
                case Bind(node=name, reserved=reserved):
                    for plugin, what in reserved:
                        plugin.keep(what, name, self.watch.snapshot)
                    self.watch.snapshot.assume(item.pod, name)
                    self.watch.snapshot.finish_binding(item.pod.uid, NOW_S)
                    queue.remove(item.pod.uid)
                case Unschedulable(message=message, plugins=plugins):
                    queue.set_unschedulable(item, plugins)
                    self.told.append(message)
        queue.counts()
        queue.next_due_s()

    def work(self, event: Callable[[World], None]) -> int:
        """Return how much there is to do for an event."""
        with counted() as work:
            event(self)
            self.settle()
        return work.total

    def _tell(self, kind: EventType, obj: Any) -> None:
        resource = KINDS[type(obj)]
        for informer in self._informers():
            if informer.resource == resource:
                informer.apply(WatchEvent(kind, self._revision, obj))

    def _informers(self) -> list[Informer[Any]]:
        watch = self.watch
        return [
            *watch._devices.informers,
            watch.pods,
            watch._nodes,
            watch._services,
            watch._replica_sets,
        ]


Event: TypeAlias = Callable[[World], None]
EVENTS: dict[str, Event] = {
    "pod waits": lambda world: world.put(pod("new", 1)),
    "pod waits and fits nowhere": lambda world: world.put(pod("big", 1, huge=True)),
    "pod is bound": lambda world: world.confirm("new"),
    "pod is on a node": lambda world: world.put(pod("other", 1, on=1)),
    "pod is the next of its template": lambda world: world.put(pod("next", 1)),
    "node beats": lambda world: world.put(node(1)),
    "node is cordoned": lambda world: world.put(node(1, unschedulable=True)),
    "node is open again": lambda world: world.put(node(1)),
    "service comes": lambda world: (world.put(service(5_000)), world.put(pod("after", 1))),
    "service goes": lambda world: (world.drop(service(5_000)), world.put(pod("then", 1))),
    "replica set comes": lambda world: (world.put(replica_set(5_000)), world.put(pod("more", 1))),
    "replica set goes": lambda world: (world.drop(replica_set(5_000)), world.put(pod("last", 1))),
    "pod waits for a device": lambda world: (world.put(claim_of("next-card")), world.put(device_claims.pod("second-card", shared="next-card"))),
    "claim has its device": lambda world: world.put(claim_of("other", "b")),
    "claim goes": lambda world: world.drop(claim_of("other", "b")),
    "slice changes": lambda world: world.put(cards(1, "c")),
    "slice goes": lambda world: world.drop(cards(1, "c")),
    "nobody confirms": lambda world: world.watch.snapshot.unconfirmed(0.0),
}  # fmt: skip


def test_an_event_costs_no_more_beside_ten_times_as_many() -> None:
    """One after the other, with the decisions that follow: less than one instruction for ten objects more."""
    few, many = World(N), World(10 * N)
    costs = {name: (few.work(event), many.work(event)) for name, event in EVENTS.items()}
    assert min(cost for cost, _ in costs.values()) > 0
    assert {name: cost for name, cost in costs.items() if cost[1] - cost[0] >= N} == {}


def test_a_pod_that_fits_nowhere_is_told_of_every_node() -> None:
    """Who could have the place of others is told only what keeps it from the nodes now."""
    world = World(3)
    assert world.told[0].endswith("3 No preemption victims found for incoming pod.")
    world.put(pod("urgent", 1, huge=True, priority=7))
    world.settle()
    assert world.told[-1] == "0/3 nodes are available: 3 Insufficient cpu."
