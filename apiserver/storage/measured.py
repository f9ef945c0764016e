"""A store that measures how long its requests take, by the names of kube-apiserver's metrics: etcd_request_….

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Final, TypeVar

from apiserver.storage.interface import EventBatch, Outcome, Page, Storage, Stored, Unmoved
from machinery.model.errors import ApiError
from machinery.process.clock import WALL
from machinery.process.metrics import described, histogram_lines, sample

R = TypeVar("R")

DURATIONS_S: Final = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0,
                      15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip
_LABELS: Final = ("group", "operation", "resource")
_SIZE: Final = "apiserver_storage_size_bytes"
_ROOT: Final = len("/registry/")
Names = Callable[[str], tuple[str, str]]
"""Group and plural of what is stored under a prefix; empty where it is no kind's."""


class _Series:
    __slots__ = ("counts", "failed", "took_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(DURATIONS_S) + 1)
        self.failed = 0
        self.took_s = 0.0


class MeasuredStorage:
    """Implements `apiserver.storage.interface.Storage` by another store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._series: dict[tuple[str, str], _Series] = {}  # by operation and prefix
        self._size_bytes = 0  # when it was asked for last

    async def revision(self) -> int:
        """Return the newest revision."""
        return await self._storage.revision()

    async def get(self, key: str) -> Stored | None:
        """Read one key."""
        return await self._timed("get", key, self._storage.get(key))

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start: str = "") -> Page:
        """Read the keys with a prefix."""
        reading = self._storage.list(prefix, revision=revision, limit=limit, start=start)
        return await self._timed("list", prefix, reading)

    async def create(
        self, key: str, value: bytes, *, ttl_s: int = 0, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is not there."""
        writing = self._storage.create(key, value, ttl_s=ttl_s, provided=provided)
        return await self._timed("create", key, writing)

    async def update(
        self, key: str, value: bytes, expected_revision: int, *, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is at a revision."""
        writing = self._storage.update(key, value, expected_revision, provided=provided)
        return await self._timed("update", key, writing)

    async def delete(self, key: str, expected_revision: int, *, provided: Unmoved | None = None) -> Outcome:
        """Delete a key that is at a revision."""
        return await self._timed(
            "delete", key, self._storage.delete(key, expected_revision, provided=provided)
        )

    def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[EventBatch, None]:
        """Yield what is written after a revision."""
        return self._storage.watch(prefix, after_revision)

    async def compact(self, revision: int) -> None:
        """Forget the history before a revision."""
        await self._storage.compact(revision)

    @property
    def problem(self) -> str:
        """What the store says is wrong with itself."""
        return self._storage.problem

    async def follow_problem(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Keep `problem` up to date, for ever."""
        await self._storage.follow_problem(sleep)

    async def size_bytes(self) -> int:
        """Return what the store's database takes on its disk; `lines` tells it, too."""
        self._size_bytes = await self._storage.size_bytes()
        return self._size_bytes

    async def aclose(self) -> None:
        """Close every connection."""
        await self._storage.aclose()

    async def _timed(self, operation: str, key: str, asking: Awaitable[R]) -> R:
        begun = WALL.monotonic_wall()
        place = (operation, _prefix(key))
        series = self._series.get(place)
        if series is None:
            series = self._series[place] = _Series()
        try:
            return await asking
        except ApiError:
            series.failed += 1
            raise
        finally:
            took_s = WALL.monotonic_wall() - begun
            series.counts[bisect_left(DURATIONS_S, took_s)] += 1
            series.took_s += took_s

    def lines(self, names: Names) -> Iterator[str]:
        """Yield what was measured, in Prometheus' text format."""
        found = [
            ((group, operation, resource), series)
            for (operation, prefix), series in self._series.items()
            for group, resource in [names(prefix)]
        ]
        name = "etcd_request_duration_seconds"
        yield from described(name, "Wall time of requests to etcd", "histogram")
        for labels, series in found:
            yield from histogram_lines(name, _LABELS, labels, DURATIONS_S, series.counts, series.took_s)
        yield from described("etcd_requests_total", "Requests to etcd", "counter")
        for labels, series in found:
            yield sample("etcd_requests_total", _LABELS, labels, sum(series.counts))
        yield from described("etcd_request_errors_total", "Requests to etcd that failed", "counter")
        for labels, series in found:
            yield sample("etcd_request_errors_total", _LABELS, labels, series.failed)
        if self._size_bytes:
            yield from described(_SIZE, "What the store's database takes on its disk", "gauge")
            yield sample(_SIZE, ("storage_cluster_id",), ("etcd-0",), self._size_bytes)


def _prefix(key: str) -> str:
    """Return what stands before namespace and name, a group's dot included: /registry/pods, /registry/example.com/widgets."""
    end = key.find("/", _ROOT)
    if end > 0 and "." in key[_ROOT:end]:
        end = key.find("/", end + 1)
    return key if end < 0 else key[:end]
