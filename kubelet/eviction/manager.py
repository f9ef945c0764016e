"""Looks at what the node has left and what its pods have written, and ends pods where that has to be.

Fed by `signals`, `disks` and the CRI's statistics; `kubelet.core.eviction` decides. Of a node that is short of something one pod
is ended at a time, and the next one not before the first one has given back what it had. An idle look costs a few system
calls: the runtime is asked only about pods that have a limit, or once somebody has to go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from kubelet.containment import contained
from kubelet.core import labels
from kubelet.core.eviction import pressure, words
from kubelet.core.eviction.limits import find_excess, has_storage_limit, is_limited
from kubelet.core.eviction.pressure import Pressure
from kubelet.core.eviction.ranking import is_critical, rank
from kubelet.core.eviction.settings import EvictionSettings
from kubelet.core.eviction.thresholds import (
    CONDITIONS,
    OF_DISKS,
    RESOURCES,
    Observations,
    Observed,
    Signal,
    Threshold,
)
from kubelet.core.eviction.usage import PodDisk, PodUsage
from kubelet.core.life import Life, Stage
from kubelet.core.pod_status import Verdict
from kubelet.eviction.disks import PodDisks
from kubelet.eviction.signals import NodeSignals
from machinery.client.events import WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.hollow_nodes import SIMULATION
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.log import EventLog
from machinery.model.pods import is_terminal
from machinery.process.metrics import described, sample

_PERIOD_S: Final = 10.0  # cluster seconds between two looks, but at least:
_LEAST_WALL_S: Final = 2.0
_REST: Final = 20  # times as long as a look took, until the next one: it takes at most a twentieth of a core
_CLEAN_UP_S: Final = 30.0  # cluster seconds until an evicted pod is not waited for any longer
_CLEAN_UP_LOOK_S: Final = 1.0  # cluster seconds
_HARD_GRACE_S: Final = 1.0  # cluster seconds, as Kubernetes gives where it cannot wait


class EvictionRuntime(Protocol):
    """What this needs of the CRI client."""

    async def sandbox_stats(self) -> Sequence[Any]:
        """Return what each pod uses, as CRI's PodSandboxStats."""
        ...

    async def image_fs(self) -> Sequence[Any]:
        """Return what the images take, as CRI's FilesystemUsage."""
        ...


class Pods(Protocol):
    """The node's pods (kubelet/pod_workers.py)."""

    def lives(self) -> Iterable[Life]:
        """Return the lives of all pods."""
        ...

    def evict(self, uid: str, verdict: Verdict) -> None:
        """End a pod."""
        ...

    def is_over(self, uid: str) -> bool:
        """Whether nothing of a pod takes room on the node any more."""
        ...


class EvictionManager:
    """Evicts the pods of one node."""

    def __init__(
        self,
        signals: NodeSignals,
        disks: PodDisks,
        runtime: EvictionRuntime,
        pods: Pods,
        events: EventRecorder,
        clock: Clock,
        log: EventLog,
        *,
        settings: EvictionSettings,
        make_room: Callable[[Signal], Awaitable[None]],
        node: Callable[[], Node | None],
        is_simulated: Callable[[], bool | None],
        on_change: Callable[[], None],
    ) -> None:
        self._signals = signals
        self._disks = disks
        self._runtime = runtime
        self._pods = pods
        self._events = events
        self._clock = clock
        self._log = log
        self._settings = settings
        self._make_room = make_room
        self._node = node
        self._is_simulated = is_simulated
        self._on_change = on_change
        self._wanted = frozenset(each.signal for each in settings.thresholds)
        self._pressure: Pressure | None = None
        self._evicted: Counter[str] = Counter()  # by signal

    def conditions(self) -> frozenset[str]:
        """Return what the node is short of, as its conditions say it; the first time it looks at the node itself.

        Nothing before the runtime has said whether it simulates containers: their node has nothing of the machine.
        """
        if (is_simulated := self._is_simulated()) is None:
            return frozenset()
        if self._pressure is None:
            self._note({} if is_simulated else self._signals.read(self._wanted))
        known = self._pressure or Pressure()
        return pressure.conditions(known, self._settings.transition_s, self._clock.monotonic())

    def lines(self) -> Iterator[str]:
        """Yield how many pods were evicted, and by which signals, as Prometheus reads it."""
        name = "kubelet_evictions"
        yield from described(name, "Cumulative number of pod evictions by eviction signal", "counter")
        for signal, number in sorted(self._evicted.items()):
            yield sample(name, ("eviction_signal",), (signal,), number)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        with contained(self._log, "image_folder_not_known"):
            await self._learn_image_folder()
        while True:
            begun_s, evicted = self._clock.monotonic(), list[str]()
            with contained(self._log, "node_pressure_not_looked_at"):
                try:
                    evicted = await self.look()
                except ApiError as error:  # foreseen: no trace of it is needed
                    self._log.warning("node_pressure_not_looked_at", error=error)
            took_s = self._clock.monotonic() - begun_s
            if evicted:
                await self._wait_for_the_end_of(evicted)
            else:
                least_s = self._clock.timescale.cluster(_LEAST_WALL_S)
                await self._clock.sleep(max(_PERIOD_S, least_s, _REST * took_s))

    async def look(self) -> list[str]:
        """Look once, and evict who has to go; return their uids.

        Raises:
            ApiError: the runtime does not answer.
        """
        before = self.conditions()
        observations = await self._observe()
        self._note(observations)
        if (after := self.conditions()) != before:
            self._log.info("node_pressure", conditions=" ".join(sorted(after)) or "none")
            self._on_change()
        if self._is_simulated() and not self._is_anything_used():
            return []
        active = [life for life in self._pods.lives() if _is_active(life)]
        if evicted := await self._evict_over_limits(active):
            return evicted
        threshold = pressure.most_urgent(self._pressure or Pressure())
        return await self._reclaim(threshold, observations, active) if threshold else []

    def _note(self, observations: Observations) -> None:
        now_s, known = self._clock.monotonic(), self._pressure or Pressure()
        self._pressure = pressure.looked(known, self._settings.thresholds, observations, now_s)

    async def _observe(self) -> Observations:
        if not self._is_simulated():
            return self._signals.read(self._wanted)
        if Signal.MEMORY not in self._wanted or not self._is_anything_used():
            return {}
        used = sum(each.linux.memory.working_set_bytes.value for each in await self._runtime.sandbox_stats())
        capacity = self._signals.machine.memory_bytes
        return {Signal.MEMORY: Observed(max(0, capacity - used), capacity)}

    def _is_anything_used(self) -> bool:
        """Whether a simulated pod is said to use more than next to nothing."""
        return any(_says_how_it_behaves(life.pod) for life in self._pods.lives())

    async def _learn_image_folder(self) -> None:
        if self._is_simulated() or not self._wanted & {*OF_DISKS}:
            return
        self._signals.learn_image_dir(each.fs_id.mountpoint for each in await self._runtime.image_fs())

    async def _evict_over_limits(self, active: Iterable[Life]) -> list[str]:
        evicted = []
        for life in active:
            if not is_limited(life.pod) or is_critical(life.pod):
                continue
            disk = await self._measure(life, with_containers=has_storage_limit(life.pod))
            if disk is not None and (excess := find_excess(life.pod, disk)):
                self._evict(life, excess.signal, Verdict(words.EVICTED, excess.message, _HARD_GRACE_S))
                evicted.append(life.uid)
        return evicted

    async def _reclaim(
        self, threshold: Threshold, observations: Observations, active: Sequence[Life]
    ) -> list[str]:
        """Evict the pod that has to go first, because of what the node is short of."""
        if (node := self._node()) is not None:
            text = f"Attempting to reclaim {RESOURCES[threshold.signal]}"
            self._events.record(node, WARNING, "EvictionThresholdMet", text)
        if threshold.signal in OF_DISKS and await self._is_resolved_by_room(threshold.signal):
            return []
        usages = await self._usages(threshold.signal, active)
        ranked = rank(threshold.signal, (life.pod for life in active), usages)
        if not ranked:
            self._log.info("nobody_to_evict", condition=CONDITIONS[threshold.signal])
            return []
        uid = ranked[0].metadata.uid
        life = next(each for each in active if each.uid == uid)
        message = words.pressure(threshold, observations, life.pod, usages.get(uid))
        grace_s = _HARD_GRACE_S if threshold.grace_s is None else self._settings.most_grace_s
        verdict = Verdict(words.EVICTED, message, grace_s, is_disruption=True)
        self._evict(life, threshold.signal.value, verdict)
        return [uid]

    async def _is_resolved_by_room(self, signal: Signal) -> bool:
        """Whether the node has enough again once it has removed what nobody uses."""
        await self._make_room(signal)
        observations = await self._observe()
        self._note(observations)
        is_resolved = pressure.most_urgent(self._pressure or Pressure()) is None
        if is_resolved:
            self._log.info("room_made_without_eviction", signal=signal.value)
        return is_resolved

    async def _usages(self, signal: Signal, active: Iterable[Life]) -> dict[str, PodUsage]:
        if signal in OF_DISKS:
            disks = {life.uid: await self._measure(life) for life in active}
            return {uid: PodUsage(disk=disk) for uid, disk in disks.items() if disk is not None}
        return {each.attributes.metadata.uid: _usage(each) for each in await self._runtime.sandbox_stats()}

    async def _measure(self, life: Life, *, with_containers: bool = True) -> PodDisk | None:
        """Return what a pod has written; None where that cannot be told now, which is this pod's and nobody else's."""
        try:
            return await self._disks.measure(life, with_containers=with_containers)
        except (ApiError, OSError) as error:
            self._log.warning("pod_not_measured", pod=life.pod.metadata.name, uid=life.uid, error=error)
            return None

    def _evict(self, life: Life, signal: str, verdict: Verdict) -> None:
        meta = life.pod.metadata
        self._log.info("pod_evicted", pod=f"{meta.namespace}/{meta.name}", signal=signal, why=verdict.message)
        self._evicted[signal] += 1
        self._pods.evict(life.uid, verdict)

    async def _wait_for_the_end_of(self, uids: Iterable[str]) -> None:
        until_s = self._clock.monotonic() + _CLEAN_UP_S
        while self._clock.monotonic() < until_s and not all(self._pods.is_over(uid) for uid in uids):
            await self._clock.sleep(_CLEAN_UP_LOOK_S)


def _is_active(life: Life) -> bool:
    return (
        life.is_known
        and life.stage is Stage.SYNCING
        and life.verdict is None
        and life.pod.metadata.deletionTimestamp is None
        and not is_terminal(life.pod)
    )


def _says_how_it_behaves(pod: Pod) -> bool:
    return any(key.startswith(SIMULATION) for key in pod.metadata.annotations)


def _usage(stats: Any) -> PodUsage:
    return PodUsage(
        stats.linux.memory.working_set_bytes.value,
        stats.linux.process.process_count.value,
        {
            each.attributes.labels.get(labels.CONTAINER_NAME, "")
            or each.attributes.metadata.name: each.memory.working_set_bytes.value
            for each in stats.linux.containers
        },
    )
