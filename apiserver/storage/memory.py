"""A store in this process' memory: for tests, and for scenarios under virtual time.

It keeps all of its history until it is compacted, so it can read any revision and resume any watch. A ttl is
kept, but nothing expires by itself: `expire` is called by the one who owns the time.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from apiserver.storage import interface
from machinery.model.errors import BadRequest, Expired

_Snapshot: TypeAlias = tuple[list[str], dict[str, interface.Stored]]  # the keys in order, and what each holds


@dataclass(slots=True)
class _Log:
    """Every write since the last compaction, in order."""

    events: list[interface.StorageEvent]
    compacted: int = 0

    def after(self, revision: int) -> list[interface.StorageEvent]:
        return self.events[bisect_right(self.events, revision, key=lambda event: event.revision) :]


class MemoryStorage:
    """Implements `apiserver.storage.interface.Storage`."""

    problem = ""

    def __init__(self) -> None:
        self._revision = 1  # as etcd's, which starts at 1
        self._keys: list[str] = []
        self._values: dict[str, interface.Stored] = {}
        self._log = _Log([])
        self._written = asyncio.Event()

    @property
    def history(self) -> Sequence[interface.StorageEvent]:
        """Every write, in order: for tests that compare it with what watches told."""
        return tuple(self._log.events)

    async def revision(self) -> int:
        """Return the newest revision."""
        return self._revision

    async def get(self, key: str) -> interface.Stored | None:
        """Read one key."""
        return self._values.get(key)

    async def list(
        self, prefix: str, *, revision: int = 0, limit: int = 0, start: str = ""
    ) -> interface.Page:
        """Read the keys with a prefix.

        Raises:
            Expired: the revision is compacted.
            BadRequest: it is still to come.
        """
        shown = revision or self._revision
        keys, values = (self._keys, self._values) if shown == self._revision else self._at(shown)
        first = bisect_left(keys, max(prefix, start))
        last = bisect_left(keys, prefix + "\U0010ffff")
        cut = min(last, first + limit) if limit else last
        items = [values[key] for key in keys[first:cut]]
        return interface.Page(items, shown, more=cut < last, remaining=last - cut)

    async def create(
        self, key: str, value: bytes, *, ttl_s: int = 0, provided: interface.Unmoved | None = None
    ) -> interface.Outcome:
        """Write a key that is not there."""
        del ttl_s
        return self._write(key, value, None, provided)

    async def update(
        self, key: str, value: bytes, expected_revision: int, *, provided: interface.Unmoved | None = None
    ) -> interface.Outcome:
        """Write a key that is at a revision."""
        return self._write(key, value, expected_revision, provided)

    async def delete(
        self, key: str, expected_revision: int, *, provided: interface.Unmoved | None = None
    ) -> interface.Outcome:
        """Delete a key that is at a revision."""
        return self._write(key, None, expected_revision, provided)

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[interface.EventBatch, None]:
        """Yield what is written after a revision.

        Raises:
            Expired: the revision is compacted.
        """
        position = after_revision
        yield interface.EventBatch((), position)
        while True:
            if position + 1 < self._log.compacted:
                raise Expired(f"the revision {position} is compacted; the oldest is {self._log.compacted}")
            if position < self._revision:
                found = [event for event in self._log.after(position) if event.key.startswith(prefix)]
                position = self._revision
                yield interface.EventBatch(found, position)
            else:
                await self._written.wait()

    async def compact(self, revision: int) -> None:
        """Forget the history before a revision.

        Raises:
            BadRequest: the revision is still to come.
        """
        if revision > self._revision:
            raise BadRequest(f"the revision {revision} is still to come")
        self._log.compacted = max(self._log.compacted, revision)

    def expire(self, prefix: str) -> None:
        """Delete every key with a prefix, as an ended lease would."""
        for key in [key for key in self._keys if key.startswith(prefix)]:
            self._write(key, None, self._values[key].revision)

    async def follow_problem(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Return at once: there is never one."""

    async def size_bytes(self) -> int:
        """Return 0: nothing is on a disk."""
        return 0

    async def aclose(self) -> None:
        """Return at once: there is no connection."""

    def _write(
        self, key: str, value: bytes | None, expected: int | None, provided: interface.Unmoved | None = None
    ) -> interface.Outcome:
        interface.check_size(key, value or b"")
        current = self._values.get(key)
        if (current.revision if current else None) != expected:
            return interface.Differs(current)
        if provided is not None:
            beside = self._values.get(provided.key)
            if beside is None or beside.revision != provided.revision:
                return interface.Moved(beside)
        self._revision += 1
        if value is None:
            del self._values[key]
            self._keys.pop(bisect_left(self._keys, key))
        else:
            if current is None:
                insort(self._keys, key)
            self._values[key] = interface.Stored(key, value, self._revision)
        self._log.events.append(interface.StorageEvent(key, value, self._revision))
        self._written.set()
        self._written = asyncio.Event()
        return interface.Written(self._revision)

    def _at(self, revision: int) -> _Snapshot:
        """Replay the log up to a revision."""
        if revision > self._revision:
            raise BadRequest(f"the revision {revision} is still to come")
        if revision < self._log.compacted:
            raise Expired(f"the revision {revision} is compacted; the oldest is {self._log.compacted}")
        values: dict[str, interface.Stored] = {}
        for event in self._log.events:
            if event.revision > revision:
                break
            if event.value is None:
                values.pop(event.key, None)
            else:
                values[event.key] = interface.Stored(event.key, event.value, event.revision)
        return sorted(values), values
