"""How the servers behind APIServices do, by Kubernetes' names of metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from apiserver.core.aggregation.availability import Verdict
from machinery.process.metrics import described, sample

_NOW = "aggregator_unavailable_apiservice"
_TOTAL = "aggregator_unavailable_apiservice_total"


class Availabilities:
    """What was found last of each, and how often each was not available, for which reason."""

    def __init__(self) -> None:
        self._now: dict[str, bool] = {}
        self._total: Counter[tuple[str, str]] = Counter()

    def found(self, name: str, verdict: Verdict) -> None:
        """Note what a look has found."""
        if not verdict.is_available and self._now.get(name, True):
            self._total[name, verdict.reason] += 1
        self._now[name] = verdict.is_available

    def forget(self, name: str) -> None:
        """Say no more of an APIService that is gone, or local."""
        self._now.pop(name, None)
        for key in [key for key in self._total if key[0] == name]:
            del self._total[key]

    def lines(self) -> Iterator[str]:
        """Yield them in Prometheus' text format."""
        yield from described(_NOW, "APIServices that are not available", "gauge")
        for name, is_available in self._now.items():
            yield sample(_NOW, ("name",), (name,), int(not is_available))
        yield from described(_TOTAL, "How often APIServices became unavailable", "counter")
        for (name, reason), number in self._total.items():
            yield sample(_TOTAL, ("name", "reason"), (name, reason), number)
