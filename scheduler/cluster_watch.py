"""From watch events to the snapshot and the queue.

Runs before this process leads, too, so that it can decide at once when it does. Callbacks are synchronous: what the
informers have seen is in the snapshot before the next decision. An object that cannot be read, whatever the reason, is
left out and told about; everything else goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.k8s.apps_v1 import ReplicaSet
from machinery.model.k8s.core_v1 import Namespace, Node, Pod, Service
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.log import EventLog
from machinery.model.pods import is_terminal
from machinery.model.requests import EventType, Selection
from machinery.model.resources import (
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from machinery.model.store import Change
from scheduler.core.cluster_events import ClusterEvent, node_events
from scheduler.core.essential import Essentials
from scheduler.core.framework import Nomination
from scheduler.core.guarded import PluginFailed
from scheduler.core.plugins.dynamic_resources import DynamicResources
from scheduler.core.plugins.scheduling_gates import SchedulingGates
from scheduler.core.pod import ClaimKey, PodInfo, PodReader, scheduler_of
from scheduler.core.profile import Profile
from scheduler.core.queue import BACKOFF, SchedulingQueue, by_priority
from scheduler.core.registry import Helping
from scheduler.core.snapshot import Snapshot
from scheduler.device_watch import DeviceWatch
from scheduler.predecessor import Predecessor
from scheduler.storage_watch import StorageWatch

_LIVE_PODS: Final = Selection(field_selector="status.phase!=Succeeded,status.phase!=Failed")
_GATE_AGAIN_S: Final = 10.0  # cluster seconds after which a plugin that failed at PreEnqueue is asked again


class ClusterWatch:
    """The informers, and what they feed.

    `on_change` is called when a pod may have become due, `on_unreadable` with a pod that waits and cannot be read,
    `on_held` with one that a plugin holds back, or has nowhere in the queue, by failing, `on_gone` with the uid of one that needs no node any more.
    """

    def __init__(
        self,
        api: Api,
        *,
        profiles: Mapping[str, Profile],
        backoff: Backoff = BACKOFF,
        clock: Clock,
        log: EventLog,
        on_change: Callable[[], None],
        on_unreadable: Callable[[Pod, Exception], None],
        on_held: Callable[[PodInfo, PluginFailed], None] = lambda _pod, _failed: None,
        on_gone: Callable[[str], None] = lambda _uid: None,
    ) -> None:
        self.snapshot = Snapshot()
        self._owners = self.snapshot.owners
        self._helping = Helping([plugin for profile in profiles.values() for plugin in profile.plugins])
        self._sorts = next((each.sorts for each in profiles.values()), None)  # all have the same
        self.queue = SchedulingQueue(
            self._held_by,
            backoff,
            helping=self._helping,
            key=self._queue_key if self._sorts else by_priority,
        )
        self._waiting_for_claims: dict[
            ClaimKey, dict[str, None]
        ] = {}  # gated pods, by a claim that is missing
        self.pods: Informer[Pod] = Informer(api, PODS, _LIVE_PODS, clock=clock, keep=Essentials().of, log=log)
        self._nodes: Informer[Node] = Informer(api, NODES, clock=clock, log=log)
        self._namespaces: Informer[Namespace] = Informer(api, NAMESPACES, clock=clock, log=log)
        self._services: Informer[Service] = Informer(api, SERVICES, clock=clock, log=log)
        self._replica_sets: Informer[ReplicaSet] = Informer(api, REPLICA_SETS, clock=clock, log=log)
        self._budgets: Informer[PodDisruptionBudget] = Informer(
            api, POD_DISRUPTION_BUDGETS, clock=clock, log=log
        )
        self._storage = StorageWatch(api, self.snapshot.storage, self.storage_happened, clock=clock, log=log)
        self._devices = DeviceWatch(
            api,
            self.snapshot.devices,
            self._devices_happened,
            self.device_claim_changed,
            clock=clock,
            log=log,
        )
        self._failed_gates: set[str] = set()  # uids of pods whose gates are to be asked again
        self._profiles = profiles
        self._clock = clock
        self._reader = PodReader()
        self._log = log
        self._on_change = on_change
        self._on_unreadable = on_unreadable
        self._on_held = on_held
        self._on_gone = on_gone
        self.on_storage: Callable[[], None] = lambda: None  # called when claims or volumes have changed
        self.unreadable: dict[str, tuple[Pod, Exception]] = {}  # pods that wait, by uid
        self._nodes.subscribe(partial(self._take, self._node_changed, self._leave_out_node))
        self._namespaces.subscribe(partial(self._take, self._namespace_changed, self._leave_out_namespace))
        self._services.subscribe(partial(self._take, self._service_changed, self._leave_out_service))
        self._replica_sets.subscribe(
            partial(self._take, self._replica_set_changed, self._leave_out_replica_set)
        )
        self._budgets.subscribe(partial(self._take, self._budget_changed, self._leave_out_budget))
        self._predecessor = Predecessor(self.pods, clock, log)
        self.pods.subscribe(partial(self._take, self._pod_changed, self._leave_out_pod))

    @property
    def _informers(self) -> tuple[Informer[Any], ...]:
        of_pods = (self._namespaces, self._nodes, self._services, self._replica_sets, self.pods)
        return (*self._storage.informers, *self._devices.informers, self._budgets, *of_pods)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run(), name=f"informer-{informer.resource}")

    async def synced(self) -> None:
        """Wait until everything that is there has been seen."""
        for informer in self._informers:
            await informer.synced()

    async def caught_up(self, api: Api) -> None:
        """Wait until every pod that has a node by now has been seen on it: what an earlier leader has bound is counted."""
        await self._predecessor.caught_up(api)

    def is_there(self, pod: PodInfo) -> bool:
        """Whether a pod is still there, and not being deleted."""
        known = self.pods.store.get(pod.namespace, pod.name)
        return known is not None and known.metadata.uid == pod.uid and not known.metadata.deletionTimestamp

    def whole_node(self, name: str) -> Node | None:
        """Return a node with all that is known of it."""
        return self._nodes.store.get("", name)

    def pods_on(self, name: str) -> Mapping[str, PodInfo]:
        """Return the pods that count on a node, by uid."""
        node = self.snapshot.node(name)
        return node.pods if node is not None else {}

    def nominate(self, pod: PodInfo, nomination: Nomination) -> None:
        """Keep a node for a pod that waits, or none, and note at once what follows from that."""
        snapshot, now_s = self.snapshot, self._clock.monotonic()
        before = snapshot.nominations.node_of(pod.uid)
        if nomination.node:
            snapshot.nominate(pod, nomination.node)
        else:
            snapshot.withdraw(pod.uid)
        for each in nomination.leaving:
            snapshot.note_leaving(each.uid)
        for each in nomination.displaced:
            snapshot.withdraw(each.uid)
            self.queue.wake(each.uid, now_s)
        if before and before != nomination.node:
            self.happened(ClusterEvent.POD_GONE)

    def withdraw(self, uid: str, node: str = "") -> None:
        """Keep no node for a pod; it has one by now, or is gone. Others may have the place that was kept."""
        kept = self.snapshot.withdraw(uid)
        if kept and kept != node:
            self.happened(ClusterEvent.POD_GONE)

    def put_back(self, pod: PodInfo) -> None:
        """Note that a pod waits again: the node that its status names is kept for it."""
        if pod.nominated and self.is_there(pod):
            self.snapshot.nominate(pod, pod.nominated)

    def preemption_failed(self, pod: PodInfo, staying: Iterable[PodInfo]) -> None:
        """Note that pods could not be taken away, and try the pod again that their place was for."""
        for each in staying:
            self.snapshot.note_staying(each.uid)
        self.queue.wake(pod.uid, self._clock.monotonic())
        self._on_change()

    def happened(self, event: ClusterEvent) -> None:
        """Wake the pods that an event may help."""
        self.queue.happened(event, self._clock.monotonic())
        self._on_change()

    def storage_happened(self, event: ClusterEvent, claim: ClaimKey | None) -> None:
        """Wake the pods that a change of storage may help; a claim's, those that use it."""
        if claim is None:
            self.queue.happened(event, self._clock.monotonic())
        else:
            self.queue.happened(event, self._clock.monotonic(), lambda pod: pod.uses(claim))
        self._on_change()
        self.on_storage()

    def device_claim_changed(self, claim: ClaimKey, *, frees_devices: bool) -> None:
        """Wake the pods that a change of a claim may help: its own, and all that wait for devices where some became free."""
        for uid in self._waiting_for_claims.pop(claim, ()):
            self.queue.look_again(uid)
        if frees_devices:
            self.queue.happened(ClusterEvent.DEVICE_CLAIM, self._clock.monotonic())
        else:
            self.queue.happened(
                ClusterEvent.DEVICE_CLAIM,
                self._clock.monotonic(),
                lambda pod: pod.asks_for_devices_of(claim),
            )
        self._on_change()

    def _devices_happened(self, event: ClusterEvent) -> None:
        self.happened(event)

    def _held_by(self, pod: PodInfo) -> str:
        """Return the plugin that holds a pod back; a claim of devices that is missing lets it in when it comes."""
        plugin = self._first_gate(pod)
        if plugin == DynamicResources.name:
            for each in pod.device_claims:
                if each.object:
                    waiting = self._waiting_for_claims.setdefault((pod.namespace, each.object), {})
                    waiting[pod.uid] = None
        return plugin

    def _queue_key(self, pod: PodInfo, added_s: float) -> tuple[float, ...]:
        """Return what the profiles' own order says; a pod on which that fails is told, and has its place by priority."""
        try:
            return self._sorts.queue_key(pod, added_s) if self._sorts else by_priority(pod, added_s)
        except PluginFailed as failed:
            self._on_held(pod, failed)
            return by_priority(pod, added_s)

    def _first_gate(self, pod: PodInfo) -> str:
        for plugin in self._profiles[pod.scheduler_name].gates:
            try:
                if plugin.gate(pod, self.snapshot):
                    return plugin.name
            except PluginFailed as failed:
                self._on_held(pod, failed)
                self._ask_gate_later(pod.uid)
                return SchedulingGates.name  # which no event opens: it may have failed slowly
        return ""

    def _ask_gate_later(self, uid: str) -> None:
        """Have the gates of a pod asked again after a while, once, however often one of them has failed by then."""
        if uid not in self._failed_gates:
            self._failed_gates.add(uid)
            self._clock.call_later(_GATE_AGAIN_S, self._ask_gate_again, uid)

    def _ask_gate_again(self, uid: str) -> None:
        self._failed_gates.discard(uid)
        self.queue.look_again(uid)
        self._on_change()

    # -- callbacks --

    def _take(
        self,
        take: Callable[[Change[Any]], None],
        leave_out: Callable[[Any, Exception], None],
        change: Change[Any],
    ) -> None:
        """Note a change; what cannot be read is left out, so that one object stops nobody."""
        try:
            take(change)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this object only
            meta = change.object.metadata
            name = f"{meta.namespace}/{meta.name}".lstrip("/")
            self._log.error("object_not_read", kind=change.object.kind, name=name, error=error)
            leave_out(change.object, error)

    def _leave_out_node(self, node: Node, _error: Exception) -> None:
        self.snapshot.remove_node(node.metadata.name)

    def _leave_out_namespace(self, namespace: Namespace, _error: Exception) -> None:
        self.snapshot.namespaces.remove(namespace.metadata.name)

    def _leave_out_service(self, service: Service, _error: Exception) -> None:
        self._owners.remove_service(service.metadata.namespace, service.metadata.name)

    def _leave_out_replica_set(self, rs: ReplicaSet, _error: Exception) -> None:
        self._owners.remove_replica_set(rs.metadata.namespace, rs.metadata.name)

    def _leave_out_budget(self, budget: PodDisruptionBudget, _error: Exception) -> None:
        self.snapshot.remove_budget(budget)

    def _leave_out_pod(self, pod: Pod, error: Exception) -> None:
        self.queue.remove(pod.metadata.uid)
        self.withdraw(pod.metadata.uid)
        if not pod.spec.nodeName and scheduler_of(pod) in self._profiles:
            self.unreadable[pod.metadata.uid] = pod, error
            self._on_unreadable(pod, error)

    def _node_changed(self, change: Change[Node]) -> None:
        if change.new is None:
            self.snapshot.remove_node(change.object.metadata.name)
        else:
            self.snapshot.set_node(change.new)
        for event in node_events(change.old, change.new):
            self.happened(event)

    def _namespace_changed(self, change: Change[Namespace]) -> None:
        meta, namespaces = change.object.metadata, self.snapshot.namespaces
        before = namespaces.version
        if change.kind is EventType.DELETED:
            namespaces.remove(meta.name)
        else:
            namespaces.set(meta.name, meta.labels)
        if namespaces.version != before:
            self.happened(ClusterEvent.NAMESPACE)

    def _service_changed(self, change: Change[Service]) -> None:
        meta = change.object.metadata
        if change.kind is EventType.DELETED:
            self._owners.remove_service(meta.namespace, meta.name)
        elif change.old is None or change.old.spec.selector != change.object.spec.selector:
            self._owners.set_service(change.object)

    def _replica_set_changed(self, change: Change[ReplicaSet]) -> None:
        meta = change.object.metadata
        if change.kind is EventType.DELETED:
            self._owners.remove_replica_set(meta.namespace, meta.name)
        else:
            self._owners.set_replica_set(change.object)

    def _budget_changed(self, change: Change[PodDisruptionBudget]) -> None:
        if change.new is None:
            self.snapshot.remove_budget(change.object)
        else:
            self.snapshot.set_budget(change.new)

    def _pod_changed(self, change: Change[Pod]) -> None:
        pod = change.object
        self.unreadable.pop(pod.metadata.uid, None)
        if change.kind is EventType.DELETED or is_terminal(pod):
            self._pod_gone(pod)
        elif pod.spec.nodeName:
            self._pod_on_node(self._reader.read(pod))
        else:
            self._pod_waits(pod)

    def _pod_gone(self, pod: Pod) -> None:
        self.queue.remove(pod.metadata.uid)
        self._on_gone(pod.metadata.uid)
        self.withdraw(pod.metadata.uid)
        if self.snapshot.remove_pod(pod.metadata.uid) is not None:
            self.happened(ClusterEvent.POD_GONE)

    def _pod_on_node(self, pod: PodInfo) -> None:
        self.queue.remove(pod.uid)
        self.withdraw(pod.uid, pod.node)
        before = self.snapshot.pod(pod.uid)
        if before is not None and before.node == pod.node and before.asks_as(pod):
            was_assumed = self.snapshot.is_assumed(pod.uid)
            if was_assumed or not before.ends_as(pod):
                self.snapshot.set_pod(pod)
            if was_assumed:
                self._pod_arrived(pod)
            if pod.is_terminating and not before.is_terminating:
                self.happened(ClusterEvent.POD_RELABELED)  # spreading does not count it any more
            return
        self.snapshot.set_pod(pod)
        if before is None:
            self._pod_arrived(pod)
        else:
            self.happened(ClusterEvent.POD_RELABELED)
        if before is not None and before.node != pod.node:
            self.happened(ClusterEvent.POD_GONE)
        elif before is not None and before.needs != pod.needs:
            self.happened(ClusterEvent.POD_GONE)  # it may have been resized

    def _pod_arrived(self, pod: PodInfo) -> None:
        """Wake the pods that wait for one like this, somewhere."""
        now_s, snapshot = self._clock.monotonic(), self.snapshot
        self.queue.happened(
            ClusterEvent.POD_ARRIVED,
            now_s,
            lambda waiting: self._helping.is_helped(waiting, pod, snapshot),
            of_kinds=self._helping.helps_kinds,
        )
        self._on_change()

    def _pod_waits(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        ours = scheduler_of(pod) in self._profiles
        if not ours or pod.metadata.deletionTimestamp is not None:
            self.queue.remove(uid)
            self._on_gone(uid)
            self.withdraw(uid)
            if self.snapshot.forget(uid) is not None:
                self.happened(ClusterEvent.POD_GONE)
            return
        if not self.snapshot.is_assumed(uid):
            before, now = self.queue.pod(uid), self._reader.read(pod)
            self._take_nomination(before, now)
            self.queue.put(now, self._clock.monotonic())
            if before is None and ClusterEvent.POD_CREATED in self._helping.heeded:
                self.happened(ClusterEvent.POD_CREATED)
            self._on_change()
        elif uid in self.queue:
            self.queue.put(self._reader.read(pod), self._clock.monotonic())

    def _take_nomination(self, before: PodInfo | None, now: PodInfo) -> None:
        """Follow a pod's status when that has changed; else what was decided stays, which may not be written yet."""
        if before is None or before.nominated != now.nominated:
            node = now.nominated
        else:
            node = self.snapshot.nominations.node_of(now.uid)
        if node and (before is None or not before.asks_as(now) or before.nominated != now.nominated):
            self.snapshot.nominate(now, node)
        elif not node:
            self.withdraw(now.uid)
