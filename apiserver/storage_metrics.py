"""Metrics of the store and of the caches, with the names that the catalogue knows."""

from __future__ import annotations

from collections.abc import Iterator

from apiserver.core.catalogue import Catalogue
from apiserver.storage.measured import MeasuredStorage
from apiserver.watch_cache_feed import Feed
from machinery.process.metrics import described, sample


class StorageMetrics:
    """Implements `machinery.process.metrics.Measured`."""

    def __init__(self, storage: MeasuredStorage, feed: Feed, catalogue: Catalogue) -> None:
        self._storage = storage
        self._feed = feed
        self._catalogue = catalogue

    def lines(self) -> Iterator[str]:
        """Yield what was measured, in Prometheus' text format."""
        by_prefix = {kind.storage_prefix: (kind.group, kind.plural) for kind in self._catalogue.kinds()}

        def names(prefix: str) -> tuple[str, str]:
            below = (each for each in by_prefix if each == prefix or each.startswith(f"{prefix}/"))
            return by_prefix.get(next(below, ""), ("", ""))

        yield from self._storage.lines(names)
        name = "apiserver_storage_objects"
        yield from described(name, "Objects that are stored, as the watch cache knows them", "gauge")
        for kind, count in self._feed.sizes():
            yield sample(name, ("group", "resource"), (kind.group, kind.plural), count)
