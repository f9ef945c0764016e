"""Counters, gauges and histograms of one process, written as Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

Labels = tuple[tuple[str, str], ...]

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Every figure of a process. Names follow Prometheus: snake_case, the unit last, _total for counters."""

    def __init__(self) -> None:
        self._help: dict[str, tuple[str, str]] = {}
        self._values: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[int]]] = {}
        self._sums: dict[str, dict[Labels, float]] = {}
        self._read: dict[str, Callable[[], float]] = {}

    def counter(self, name: str, text: str) -> Callable[..., None]:
        """Declare a counter; the result counts: `count(1, verb="get")`."""
        self._help[name] = ("counter", text)
        values = self._values.setdefault(name, {})

        def count(amount: float = 1, /, **labels: str) -> None:
            key = tuple(sorted(labels.items()))
            values[key] = values.get(key, 0) + amount

        return count

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Declare a gauge that is read when somebody asks."""
        self._help[name] = ("gauge", text)
        self._read[name] = read

    def histogram(self, name: str, text: str) -> Callable[..., None]:
        """Declare a histogram of seconds; the result observes: `observe(0.02, verb="get")`."""
        self._help[name] = ("histogram", text)
        counts, sums = self._histograms.setdefault(name, {}), self._sums.setdefault(name, {})

        def observe(seconds: float, /, **labels: str) -> None:
            key = tuple(sorted(labels.items()))
            buckets = counts.setdefault(key, [0] * (len(SECONDS) + 1))
            buckets[bisect_left(SECONDS, seconds)] += 1
            sums[key] = sums.get(key, 0.0) + seconds

        return observe

    def text(self) -> str:
        """Write everything in Prometheus' text format."""
        lines: list[str] = []
        for name, (kind, text) in sorted(self._help.items()):
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *self._lines(name)]
        return "\n".join(lines) + "\n"

    def _lines(self, name: str) -> list[str]:
        if name in self._read:
            return [f"{name} {self._read[name]():g}"]
        if name in self._histograms:
            return [line for key, counts in self._histograms[name].items() for line in self._buckets(name, key, counts)]
        return [f"{name}{_labels(key)} {value:g}" for key, value in self._values[name].items()]

    def _buckets(self, name: str, key: Labels, counts: list[int]) -> list[str]:
        lines, total = [], 0
        for bound, count in zip((*(f"{bound:g}" for bound in SECONDS), "+Inf"), counts, strict=True):
            total += count
            lines.append(f"{name}_bucket{_labels((*key, ('le', bound)))} {total}")
        return [*lines, f"{name}_sum{_labels(key)} {self._sums[name][key]:g}", f"{name}_count{_labels(key)} {total}"]


def _labels(key: Labels) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in key)
    return f"{{{inner}}}" if inner else ""
