"""Writes the statuses of pods to the apiserver, and deletes the objects of pods that are over.

For each pod: one write at a time, the newest status wins, the deletion comes after the last status. A status that nobody
acts on waits a moment for the next one, and longer while others are waiting to be written. Every write
names the pod's uid, so that a namesake is never touched. A write whose outcome is unknown is followed by reading
the object, and only what is still missing is written again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from kubelet.core.status_patch import is_awaited, status_patch
from machinery.client.api import Api
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import (
    ApiError,
    Conflict,
    Invalid,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    names_another,
)
from machinery.model.insist import Failures
from machinery.model.k8s.core_v1 import Pod, PodStatus
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import DeleteOptions, PatchType, revision_of
from machinery.model.resources import PODS

_AT_ONCE: Final = 16  # writes on their way
HOLD_S: Final = 0.2  # wall seconds that a status which nobody acts on waits for the next one
_LONGEST_HOLD_S: Final = 1.0  # ... while there is more to write than can be written
_RETRY: Final = Backoff(initial_s=0.1, cap_s=2.0)  # wall seconds


@dataclass(slots=True)
class _Entry:
    pod: Pod  # the newest version that anybody has seen
    status: PodStatus | None = None  # to be written
    delete: bool = False
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # somebody acts on what waits to be written
    is_busy: bool = False
    is_forgotten: bool = False


class StatusWriter:
    """The writes that are due, by pod."""

    def __init__(self, api: Api, clock: Clock, log: EventLog = SILENT, *, hold_s: float = HOLD_S) -> None:
        """A status that nobody acts on waits for so many wall seconds for the next one."""
        self._hold_s = hold_s
        self._api = api
        self._clock = clock
        self._log = log
        self._entries: dict[str, _Entry] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for uid in list(self._entries):
                self._begin(uid)
            await asyncio.get_running_loop().create_future()

    def write(self, pod: Pod, status: PodStatus) -> None:
        """Queue a status to be written, in place of an older one that still waits."""
        entry = self._entry(pod)
        entry.status = status
        if is_awaited(entry.pod.status, status):
            entry.hurry.set()
        self._begin(pod.metadata.uid)

    def delete(self, pod: Pod) -> None:
        """Queue the object's deletion after its last status; nothing is written afterwards."""
        entry = self._entry(pod)
        entry.delete = True
        entry.hurry.set()
        self._begin(pod.metadata.uid)

    def forget(self, pod_uid: str) -> None:
        """Drop what waits for a pod that is gone."""
        if (entry := self._entries.get(pod_uid)) is not None:
            entry.status, entry.delete, entry.is_forgotten = None, False, True
            if not entry.is_busy:
                del self._entries[pod_uid]

    def _entry(self, pod: Pod) -> _Entry:
        entry = self._entries.setdefault(pod.metadata.uid, _Entry(pod))
        entry.pod = _newer(entry.pod, pod)
        return entry

    def _begin(self, uid: str) -> None:
        entry = self._entries[uid]
        if self._group is not None and not entry.is_busy:
            entry.is_busy = True
            self._group.create_task(self._work(uid, entry), name=f"status-{entry.pod.metadata.name}")

    async def _work(self, uid: str, entry: _Entry) -> None:
        failures = Failures(self._clock, _RETRY, partial(self._note, entry))
        while entry.status is not None or entry.delete:
            await self._hold(entry)
            try:
                async with self._slots:
                    entry.hurry.clear()
                    await self._step(entry, reread=failures.count > 0)
                failures.forget()
            except Exception as error:  # noqa: BLE001 - most of all an unknown outcome; what nobody foresaw is this pod's
                failures.note(error)
                await failures.pause()
        entry.is_busy = False
        if entry.is_forgotten:
            self._entries.pop(uid, None)

    async def _hold(self, entry: _Entry) -> None:
        """Wait for a moment, unless somebody acts on what is to be written; longer while all writers are busy."""
        held_s = 0.0
        hold_s = self._clock.timescale.cluster(self._hold_s)
        while not entry.delete and not await event_within(entry.hurry, self._clock, hold_s):
            held_s += self._hold_s
            if not self._slots.locked() or held_s >= _LONGEST_HOLD_S:
                return

    async def _step(self, entry: _Entry, *, reread: bool) -> None:
        """Make one write; what is written is taken off the entry only when it is known to be done."""
        try:
            if reread:
                await self._reread(entry)
            if (status := entry.status) is not None:
                await self._write(entry, status)
                if entry.status is status:
                    entry.status = None
            elif entry.delete:
                await self._delete(entry.pod)
                entry.delete = False
        except NotFound:
            entry.status, entry.delete = None, False
        except (OutcomeUnknown, TooManyRequests):
            raise
        except ApiError as error:
            meta = entry.pod.metadata
            self._log.error("status_refused", pod=f"{meta.namespace}/{meta.name}", uid=meta.uid, error=error)
            entry.status = None

    async def _write(self, entry: _Entry, status: PodStatus) -> None:
        meta = entry.pod.metadata
        patch = status_patch(entry.pod.status, status)
        if not patch:
            return
        body = {"metadata": {"uid": meta.uid}, "status": patch}
        try:
            written = await self._api.patch(
                PODS,
                meta.name,
                body,
                namespace=meta.namespace,
                subresource="status",
                kind=PatchType.STRATEGIC_MERGE,
            )
        except (Conflict, Invalid) as error:  # a namesake has its place, or somebody wrote at the same moment
            if isinstance(error, Invalid) and not names_another(error):
                raise
            await self._reread(entry)
            raise OutcomeUnknown("somebody else has written the pod") from None
        entry.pod = _newer(entry.pod, written)

    async def _reread(self, entry: _Entry) -> None:
        meta = entry.pod.metadata
        found = await self._api.get(PODS, meta.name, namespace=meta.namespace)
        if found.metadata.uid != meta.uid:
            raise NotFound(f"pod {meta.namespace}/{meta.name} with uid {meta.uid} is gone")
        entry.pod = found

    async def _delete(self, pod: Pod) -> None:
        meta = pod.metadata
        options = DeleteOptions(grace_period_s=0, uid=meta.uid)
        try:
            await self._api.delete(PODS, meta.name, namespace=meta.namespace, options=options)
        except Conflict:  # its name belongs to another pod already
            return
        self._log.info("pod_deleted", pod=f"{meta.namespace}/{meta.name}", uid=meta.uid)

    def _note(self, entry: _Entry, error: Exception, failures: int) -> None:
        if failures == 1 or failures % 20 == 0:
            meta = entry.pod.metadata
            name = f"{meta.namespace}/{meta.name}"
            self._log.warning("status_not_written", pod=name, error=error, failures=failures)


def _newer(left: Pod, right: Pod) -> Pod:
    """Return the later version of a pod; revisions that are no numbers count as old."""
    return right if revision_of(right.metadata) >= revision_of(left.metadata) else left
