"""Numbers about a process, in Prometheus' text format.

bindings = process.metrics.counter("scheduler_bindings_total", "Pods bound", ("result",))
bindings.add(1, "ok")
"""

from __future__ import annotations

import os
import resource
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from machinery.process.build_info import version_info

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_BUILD: Final = {
    "build_date": "buildDate",
    "compiler": "compiler",
    "git_commit": "gitCommit",
    "git_tree_state": "gitTreeState",
    "git_version": "gitVersion",
    "go_version": "goVersion",
    "major": "major",
    "minor": "minor",
    "platform": "platform",
}
"""The labels of kubernetes_build_info, and what they show of `version_info`."""

Values = tuple[str, ...]
_M = TypeVar("_M", "Counter", "Gauge", "Histogram")


@dataclass(slots=True)
class Counter:
    """A number that only grows."""

    name: str
    text: str
    labels: Sequence[str] = ()
    _values: dict[Values, float] = field(default_factory=dict)

    def add(self, amount: float = 1, *values: str) -> None:
        """Count; the values belong to the labels, in their order."""
        self._values[values] = self._values.get(values, 0) + amount

    def value(self, *values: str) -> float:
        """Return the number."""
        return self._values.get(values, 0)

    def forget(self, label: str, value: str) -> None:
        """Drop every series in which a label has this value: what it counted is gone."""
        place = self.labels.index(label)
        for key in [key for key in self._values if key[place] == value]:
            del self._values[key]

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        yield from described(self.name, self.text, "counter")
        for values, number in self._values.items():
            yield sample(self.name, self.labels, values, number)


@dataclass(slots=True)
class Gauge:
    """A number that goes up and down."""

    name: str
    text: str
    labels: Sequence[str] = ()
    _values: dict[Values, float] = field(default_factory=dict)

    def set(self, number: float, *values: str) -> None:
        """Set it."""
        self._values[values] = number

    def value(self, *values: str) -> float:
        """Return the number."""
        return self._values.get(values, 0)

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        yield from described(self.name, self.text, "gauge")
        for values, number in self._values.items():
            yield sample(self.name, self.labels, values, number)


@dataclass(slots=True)
class _Series:
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Histogram:
    """How often a measure fell into which range."""

    name: str
    text: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = BUCKETS_S
    _series: dict[Values, _Series] = field(default_factory=dict)

    def observe(self, measure: float, *values: str) -> None:
        """Count one observation."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = _Series([0] * (len(self.buckets) + 1))
        series.counts[bisect_left(self.buckets, measure)] += 1
        series.total += measure

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        yield from described(self.name, self.text, "histogram")
        for values, series in self._series.items():
            yield from self._series_lines(values, series)

    def _series_lines(self, values: Values, series: _Series) -> Iterator[str]:
        yield from histogram_lines(self.name, self.labels, values, self.buckets, series.counts, series.total)


class Measured(Protocol):
    """What counts by itself, and says what it has counted."""

    def lines(self) -> Iterator[str]:
        """Yield its lines, in the text format; `described` and `sample` write them."""
        ...


class Metrics:
    """All the numbers of one process. Asking again for a name returns the same metric."""

    def __init__(self) -> None:
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}
        self._measured: list[Measured] = []

    def add(self, measured: Measured) -> None:
        """Render what counts by itself, too; its names are its own."""
        self._measured.append(measured)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Return the counter of this name."""
        return _same(self._metrics.setdefault(name, Counter(name, text, labels)), Counter)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """Return the gauge of this name."""
        return _same(self._metrics.setdefault(name, Gauge(name, text, labels)), Gauge)

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = BUCKETS_S
    ) -> Histogram:
        """Return the histogram of this name."""
        return _same(self._metrics.setdefault(name, Histogram(name, text, labels, buckets)), Histogram)

    def render(self) -> str:
        """Return all of them, and what the system knows about the process."""
        self._measure_process()
        every: tuple[Measured, ...] = (*self._metrics.values(), *self._measured)
        lines = [line for each in every for line in each.lines()]
        return "\n".join(lines) + "\n"

    def _measure_process(self) -> None:
        cpu = self.counter("process_cpu_seconds_total", "User and system CPU time, in seconds")
        cpu.add(_cpu_s() - cpu.value())
        for name, text, measure in _OF_THE_PROCESS:
            self.gauge(name, text).set(measure())
        info = version_info()
        text = "Which version of Kubernetes this is like, always 1"
        build = self.gauge("kubernetes_build_info", text, list(_BUILD))
        build.set(1, *(info[field] for field in _BUILD.values()))


def described(name: str, text: str, kind: str) -> Iterator[str]:
    """Yield what stands before a metric's samples; the kind is counter, gauge or histogram."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def sample(name: str, labels: Sequence[str], values: Sequence[str], number: float) -> str:
    """Return the line of one number; the values belong to the labels, in their order."""
    return f"{name}{_labels(labels, values)} {_number(number)}"


def histogram_lines(
    name: str,
    labels: Sequence[str],
    values: Sequence[str],
    bounds: Sequence[float],
    counts: Sequence[int],
    total: float,
) -> Iterator[str]:
    """Yield the lines of one series of a histogram; the last of the counts is above all bounds."""
    running = 0
    for bound, number in zip((*map(_number, bounds), "+Inf"), counts, strict=True):
        running += number
        yield sample(f"{name}_bucket", (*labels, "le"), (*values, bound), running)
    yield sample(f"{name}_sum", labels, values, total)
    yield sample(f"{name}_count", labels, values, running)


def resident_bytes() -> int:
    """Return how much memory the process has at present."""
    return _resident_pages() * os.sysconf("SC_PAGE_SIZE")


def _resident_pages() -> int:
    return int(_pages()[1])


def _virtual_bytes() -> int:
    return int(_pages()[0]) * os.sysconf("SC_PAGE_SIZE")


def _pages() -> list[str]:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - one line of /proc
        return statm.read().split()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


_OF_THE_PROCESS: Final[tuple[tuple[str, str, Callable[[], float]], ...]] = (
    ("process_resident_memory_bytes", "Resident memory", resident_bytes),
    ("process_virtual_memory_bytes", "Virtual memory", _virtual_bytes),
    ("process_open_fds", "Open file descriptors", _open_files),
    (
        "process_max_fds",
        "How many file descriptors may be open",
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    ),
)


def _same(metric: Counter | Gauge | Histogram, kind: type[_M]) -> _M:
    if not isinstance(metric, kind):
        raise TypeError(f"the metric {metric.name} is a {type(metric).__name__} already")
    return metric


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)
