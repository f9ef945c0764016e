"""All pods of the node: one worker for each, started when the API or the runtime shows a pod that has none.

Nothing begins before both have been seen whole: the list of the node's pods in the API, and everything that the
runtime has. So a kubelet that starts again takes nothing for gone that it has not asked about, and a pod that left
the API while the kubelet was away is stopped with the grace that its containers were promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

import msgspec

from kubelet.containment import contained, fault_text, log_fault, tell_fault
from kubelet.core.admission import Abilities, Rejection, admit
from kubelet.core.life import Life, Stage
from kubelet.core.log_lines import LoggedContainer
from kubelet.core.observed import ObservedContainer
from kubelet.core.pod_lifecycle import begin, begin_unknown
from kubelet.core.pod_status import Verdict
from kubelet.core.resizing import DEFERRED, Pending, from_status, is_resized, judge, with_allocated
from kubelet.core.taken import Taken
from kubelet.pod_worker import PodWorker, Tools
from kubelet.relist import Relist
from machinery.client.events import WARNING
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminal
from machinery.model.requests import EventType
from machinery.model.store import Change

_AGAIN_S: Final = 10.0  # cluster seconds until a pod whose life could not begin is looked at again


@dataclass(slots=True)
class PodWorkers:
    """The workers, by pod uid. Also what the node's gRPC service asks about pods (`PodLookup`)."""

    tools: Tools
    relist: Relist
    _: KW_ONLY
    allocatable: Callable[[], Mapping[str, str]]
    labels: Callable[[], Mapping[str, str] | None]
    abilities: Callable[[], Abilities]
    is_gone: Callable[[str], Awaitable[bool]]
    on_gone: Callable[[Pod], None]
    on_step: Callable[[Life], None] = lambda _life: None
    _workers: dict[str, PodWorker] = field(init=False, default_factory=dict)
    # the runtime has them, the API's list does not
    _doubted: set[str] = field(init=False, default_factory=set)
    _known: dict[str, Pod] = field(init=False, default_factory=dict)  # what the API has
    _by_name: dict[tuple[str, str], dict[str, PodWorker]] = field(init=False, default_factory=dict)
    # the pods as their workers have them, with what is allocated
    _allocations: dict[str, Pod] = field(init=False, default_factory=dict)
    # resizes that wait for room, with what all pods had when they were looked at last
    _deferred: dict[str, dict[str, int]] = field(init=False, default_factory=dict)
    _taken: Taken = field(init=False, default_factory=Taken)
    _group: asyncio.TaskGroup | None = field(init=False, default=None)

    async def run(self) -> None:
        """Work until cancelled. Called when the API's list and the runtime's are both there."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for pod in sorted(self._known.values(), key=_seniority):
                self._adopt(pod)
            for uid in self.relist.uids:
                self.runtime_changed(uid)
            await asyncio.get_running_loop().create_future()

    # --- news

    def pod_changed(self, change: Change[Pod]) -> None:
        """Handle what the API says about one pod."""
        pod = change.object
        uid, is_gone = pod.metadata.uid, change.kind is EventType.DELETED
        if is_gone:
            self._known.pop(uid, None)
            self._taken.drop(uid)  # at once: the next news may be of a pod that has its place
        else:
            self._known[uid] = pod
        if self._group is None:
            return
        worker = self._workers.get(uid)
        if is_gone and worker is not None:
            worker.pod_gone(pod)
        elif worker is not None:
            worker.pod_seen(*self._allocated(pod))
        elif not is_gone:
            self._adopt(pod)

    def runtime_changed(self, uid: str) -> None:
        """Handle the runtime's news about one pod."""
        if self._group is None:
            return
        if worker := self._workers.get(uid):
            worker.runtime_changed()
        elif uid not in self._known and uid not in self._doubted:
            self._doubted.add(uid)
            self._group.create_task(self._dismiss(uid), name=f"doubt-{uid}")

    def probes_changed(self, uid: str) -> None:
        """Handle the probes' news about one pod."""
        if worker := self._workers.get(uid):
            worker.probes_changed()

    def evict(self, uid: str, verdict: Verdict) -> None:
        """End a pod that the node does not keep; nothing where there is none."""
        if worker := self._workers.get(uid):
            worker.evict(verdict)

    def collect(self, uid: str, ids: frozenset[str]) -> None:
        """Have dead containers of a pod removed; nothing where there is no such pod."""
        if worker := self._workers.get(uid):
            worker.collect(ids)

    def is_over(self, uid: str) -> bool:
        """Whether nothing of a pod takes room on the node any more."""
        worker = self._workers.get(uid)
        return worker is None or (worker.life.is_clean and worker.life.stage is not Stage.SYNCING)

    # --- what others ask

    @property
    def active_uids(self) -> set[str]:
        """The pods that something may still be kept for."""
        return {*self._known, *self._workers, *self.relist.uids}

    def lives(self) -> Iterable[Life]:
        """Return the lives of all pods."""
        return [worker.life for worker in self._workers.values()]

    def pod(self, namespace: str, name: str, uid: str) -> Pod | None:
        """Return a pod of this node, with the status that the kubelet knows; uid "" for whichever has the name."""
        named = self._by_name.get((namespace, name), {})
        worker = named.get(uid) if uid else next(iter(named.values()), None)
        if worker is None:
            return None
        life = worker.life
        return msgspec.structs.replace(life.pod, status=life.told or life.pod.status)

    def pods(self) -> Iterator[Pod]:
        """Return every pod that the API has on this node, with the status that the kubelet knows."""
        for life in self.lives():
            if life.is_known:
                yield msgspec.structs.replace(life.pod, status=life.told or life.pod.status)

    def containers(self, pod_uid: str, container: str) -> Sequence[LoggedContainer]:
        """Return the attempts at a container that still exist, the newest first."""
        return [_logged(run) for run in self.relist.observed(pod_uid).named(container)]

    def sandbox(self, pod_uid: str) -> str:
        """Return the id of the pod's sandbox, if it is ready; else ""."""
        newest = self.relist.observed(pod_uid).sandbox
        return newest.id if newest is not None and newest.is_ready else ""

    def running(self) -> Iterator[LoggedContainer]:
        """Return every running container of the node."""
        for uid in self.relist.uids:
            yield from (_logged(run) for run in self.relist.observed(uid).running())

    # --- within

    def _adopt(self, pod: Pod) -> None:
        """Begin the life of a pod that the API has; what nobody foresaw in it is this pod's, and tried again later."""
        try:
            self._start(self._admitted(pod))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this pod's
            log_fault(self.tools.log, "pod_not_begun", error, pod=pod.metadata.name, uid=pod.metadata.uid)
            tell_fault(self.tools.events, pod, "beginning pod", error)
            if self._group is not None:
                self._group.create_task(
                    self._adopt_later(pod.metadata.uid), name=f"again-{pod.metadata.name}"
                )

    async def _adopt_later(self, uid: str) -> None:
        await self.tools.clock.sleep(_AGAIN_S)
        if uid in self._known and uid not in self._workers:
            self._adopt(self._known[uid])

    def _allocated(self, pod: Pod) -> tuple[Pod, Pending | None]:
        """Return a pod with what is allocated to it, and why that is not all that it declares, where it is not."""
        uid, pending = pod.metadata.uid, None
        have, worker = self._allocations.get(uid), self._workers.get(uid)
        if have is not None and is_resized(pod, have):
            if worker is not None and worker.life.stage is Stage.SYNCING:
                pending = judge(pod, have, self._taken.amounts, self.allocatable())
                if pending is None:
                    self._taken.put(pod)  # before another one is looked at
                    have = pod
            pod = with_allocated(pod, have)
        if pending is not None and pending.reason == DEFERRED:
            self._deferred[uid] = dict(self._taken.amounts)
        else:
            self._deferred.pop(uid, None)
        self._allocations[uid] = pod
        return pod, pending

    def _retry_deferred(self) -> None:
        """Look again at the resizes that wait for room, once what the node's pods have is another sum."""
        for uid, before in list(self._deferred.items()):
            if before != self._taken.amounts and uid in self._known and uid in self._workers:
                seen, pending = self._allocated(self._known[uid])
                if pending is None:
                    self._workers[uid].pod_seen(seen)

    def _admitted(self, declared: Pod) -> Life:
        pod = from_status(declared)
        uid = pod.metadata.uid
        observed = self.relist.observed(uid)
        rejection = self._judge(pod) if observed.is_empty and _is_new(pod) else None
        if rejection is not None:
            self.tools.log.info("pod_rejected", pod=pod.metadata.name, uid=uid, reason=rejection.reason)
            self.tools.events.record(pod, WARNING, rejection.reason, rejection.message)
        self._allocations[uid] = pod
        if is_resized(declared, pod) and self._group is not None:  # looked at when all pods are counted
            self._group.create_task(self._resize_later(uid), name=f"resize-{pod.metadata.name}")
        return begin(pod, observed, self.tools.clock.now(), rejection)

    async def _resize_later(self, uid: str) -> None:
        await self.tools.clock.sleep(0)
        if uid in self._known and uid in self._workers:
            self._workers[uid].pod_seen(*self._allocated(self._known[uid]))

    def _judge(self, pod: Pod) -> Rejection | None:
        try:
            return admit(pod, self._taken, self.allocatable(), self.labels(), self.abilities())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this pod's
            log_fault(self.tools.log, "pod_not_judged", error, pod=pod.metadata.name, uid=pod.metadata.uid)
            return Rejection("UnexpectedAdmissionError", f"Allocate failed due to {fault_text(error)}")

    async def _dismiss(self, uid: str) -> None:
        """Begin the end of a pod that only the runtime still has, once the API has confirmed it."""
        with contained(self.tools.log, "unknown_pod_not_begun", uid=uid):
            await self._dismiss_confirmed(uid)
        self._doubted.discard(uid)

    async def _dismiss_confirmed(self, uid: str) -> None:
        is_gone = await self.is_gone(uid)
        observed = self.relist.observed(uid)
        if not is_gone or observed.is_empty or uid in self._workers or uid in self._known:
            return
        self.tools.log.info("pod_unknown_to_api", pod=f"{observed.namespace}/{observed.name}", uid=uid)
        self._start(begin_unknown(observed, self.tools.clock.now()))

    def _start(self, life: Life) -> None:
        worker = self._workers[life.uid] = PodWorker(life, self.tools, self._note)
        self._by_name.setdefault(_place(life.pod), {})[life.uid] = worker
        self._note(life)
        if self._group is not None:
            self._group.create_task(self._work(worker), name=f"pod-{life.pod.metadata.name}")

    def _note(self, life: Life) -> None:
        with contained(self.tools.log, "pod_not_counted", uid=life.uid):
            self._taken.note(life)
            if self._deferred:
                self._retry_deferred()
            self.on_step(life)

    def _drop(self, life: Life) -> None:
        del self._workers[life.uid]
        named = self._by_name[_place(life.pod)]
        del named[life.uid]
        if not named:
            del self._by_name[_place(life.pod)]
        self._taken.drop(life.uid)
        self._allocations.pop(life.uid, None)
        self._deferred.pop(life.uid, None)
        if self._deferred:
            self._retry_deferred()

    async def _work(self, worker: PodWorker) -> None:
        await worker.run()
        self._drop(worker.life)
        with contained(self.tools.log, "pod_not_forgotten", uid=worker.life.uid):
            self.relist.forget(worker.life.uid)
            self.on_gone(worker.life.pod)


def _place(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name


def _is_new(pod: Pod) -> bool:
    return not is_terminal(pod) and pod.metadata.deletionTimestamp is None and not pod.status.startTime


def _seniority(pod: Pod) -> tuple[str, str]:
    return pod.metadata.creationTimestamp or "", pod.metadata.name


def _logged(run: ObservedContainer) -> LoggedContainer:
    return LoggedContainer(id=run.id, attempt=run.attempt, running=run.is_running, log_path=run.log_path)
