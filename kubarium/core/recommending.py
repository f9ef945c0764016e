"""What containers should request, from what they were seen to use: the VerticalPodAutoscaler's way, and never applied.

    samples of each container ─▶ a histogram of CPU and one of memory, which forget ─▶ percentiles, widened ─▶ recommendation

The rules and numbers are those of the recommender of kubernetes/autoscaler (vertical-pod-autoscaler/pkg/recommender: `model` and
`logic`): buckets that grow by 5 %, a half-life of 24 hours, of CPU each sample weighted by what is requested, of memory
the peak of each day; the 90th percentile as the target, the 50th and 95th as bounds that are the wider the less is
known, 15 % on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, log
from typing import Any, Final

_RATIO: Final = 1.05
DAY_S: Final = 86_400.0
_HALF_LIFE_S: Final = DAY_S
_LEAST_WEIGHT: Final = 0.1
_EPSILON: Final = 0.001 * _LEAST_WEIGHT
_MARGIN: Final = 1.15
_LEAST_CPU: Final = 0.025  # cores, of all containers of a pod together
_LEAST_MEMORY: Final = 250 * 1024 * 1024
_TOO_LARGE: Final = 2.0**100  # weights that are brought down before they overflow
_VERSION: Final = 2  # of what is written down: another one wherever buckets begin elsewhere


@dataclass(frozen=True, slots=True)
class Buckets:
    """The ranges that values are counted in: each 5 % wider than the one before."""

    first: float
    most: float

    @property
    def count(self) -> int:
        """How many there are."""
        return int(log(self.most * (_RATIO - 1) / self.first + 1) / log(_RATIO)) + 2

    def find(self, value: float) -> int:
        """Return the bucket of a value."""
        if value < self.first:
            return 0
        place = int(log(value * (_RATIO - 1) / self.first + 1) / log(_RATIO))
        return min(place, self.count - 1)

    def begin(self, bucket: int) -> float:
        """Return where a bucket begins."""
        return float(self.first * (_RATIO**bucket - 1) / (_RATIO - 1))


CPU: Final = Buckets(0.001, 1000.0)
MEMORY: Final = Buckets(1e7, 1e12)


@dataclass(slots=True)
class Histogram:
    """Weighted values, of which one that is 24 hours older counts half."""

    buckets: Buckets
    weights: dict[int, float] = field(default_factory=dict)
    reference_s: float = 0.0  # the time at which a sample has just its own weight

    def add(self, value: float, weight: float, at_s: float) -> None:
        """Count a value."""
        self._count(value, weight, at_s)

    def take_back(self, value: float, weight: float, at_s: float) -> None:
        """Undo `add`."""
        self._count(value, -weight, at_s)

    def _count(self, value: float, weight: float, at_s: float) -> None:
        if not self.weights:
            self.reference_s = at_s
        factor = 2.0 ** ((at_s - self.reference_s) / _HALF_LIFE_S)
        if factor > _TOO_LARGE:
            self.weights = {bucket: each / factor for bucket, each in self.weights.items()}
            self.reference_s, factor = at_s, 1.0
        bucket = self.buckets.find(value)
        left = self.weights.get(bucket, 0.0) + weight * factor
        if left < _EPSILON:
            self.weights.pop(bucket, None)
        else:
            self.weights[bucket] = left

    def percentile(self, share: float) -> float:
        """Return the end of the bucket by which so much of all weight has been counted; 0 where there is none."""
        if not self.weights:
            return 0.0
        wanted, counted, last = share * sum(self.weights.values()), 0.0, 0
        for bucket in sorted(self.weights):
            counted, last = counted + self.weights[bucket], bucket
            if counted >= wanted:
                break
        return self.buckets.begin(min(last + 1, self.buckets.count - 1))


@dataclass(slots=True)
class Seen:
    """What was seen of one container of a workload, all its pods together."""

    cpu: Histogram = field(default_factory=lambda: Histogram(CPU))
    memory: Histogram = field(default_factory=lambda: Histogram(MEMORY))
    peaks: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # by pod: the end of its day, and its peak of it
    first_s: float = inf
    last_s: float = -inf
    samples: int = 0

    def sample(
        self, pod: str, at_s: float, cores: float, memory_bytes: float, requested_cores: float
    ) -> None:
        """Count what a pod used at a time: of memory only what is more than its peak of the day."""
        self.first_s, self.last_s = min(self.first_s, at_s), max(self.last_s, at_s)
        self.samples += 1
        self.cpu.add(cores, max(requested_cores, _LEAST_WEIGHT), at_s)
        end_s, peak = self.peaks.get(pod, (-inf, 0.0))
        if at_s >= end_s:
            end_s, peak = at_s + DAY_S, 0.0
        if memory_bytes > peak:
            if peak:
                self.memory.take_back(peak, 1.0, end_s)
            self.memory.add(memory_bytes, 1.0, end_s)
            peak = memory_bytes
        self.peaks[pod] = (end_s, peak)

    @property
    def confidence(self) -> float:
        """How much is known, in days: as long as it was seen, and as often as once a minute."""
        if not self.samples:
            return 0.0
        return min((self.last_s - self.first_s) / DAY_S, self.samples / (60 * 24))


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a container would request."""

    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What a container should request: less than the lower bound is too little, more than the upper one is wasted."""

    target: Amounts
    lower: Amounts
    upper: Amounts


def recommend(seen: Seen, containers: int) -> Recommendation:
    """Return what a container should request, one of so many in its pods."""
    known = seen.confidence
    wider = 1 + 1 / known if known else inf
    narrower = (1 + 0.001 / known) ** -2 if known else 0.0
    return Recommendation(
        _amounts(seen, 0.9, 1.0, containers),
        _amounts(seen, 0.5, narrower, containers),
        _amounts(seen, 0.95, wider, containers),
    )


def _amounts(seen: Seen, share: float, factor: float, containers: int) -> Amounts:
    cpu = max(seen.cpu.percentile(share) * _MARGIN * factor, _LEAST_CPU / containers)
    memory = max(seen.memory.percentile(share) * _MARGIN * factor, _LEAST_MEMORY / containers)
    return Amounts(int(min(cpu, CPU.most) * 1000), int(min(memory, MEMORY.most)))


Key = tuple[str, str, str, str]
"""Namespace, kind and name of a workload, and a container of its pods."""


@dataclass(slots=True)
class Notes:
    """All that was seen, by container; it can be written down, and read again."""

    seen: dict[Key, Seen] = field(default_factory=dict)
    containers: dict[tuple[str, str, str], int] = field(default_factory=dict)  # of a pod of each workload

    def recommendations(self) -> Iterable[tuple[Key, Recommendation]]:
        """Return what is recommended, in order."""
        for key, seen in sorted(self.seen.items()):
            yield key, recommend(seen, self.containers.get(key[:3], 1))

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "version": _VERSION,
            "containers": [[*key, count] for key, count in sorted(self.containers.items())],
            "seen": [{"of": list(key), **_seen_json(seen)} for key, seen in sorted(self.seen.items())],
        }


def _seen_json(seen: Seen) -> dict[str, Any]:
    return {
        "cpu": _histogram_json(seen.cpu),
        "memory": _histogram_json(seen.memory),
        "peaks": {pod: list(peak) for pod, peak in seen.peaks.items()},
        "first": seen.first_s,
        "last": seen.last_s,
        "samples": seen.samples,
    }


def _histogram_json(histogram: Histogram) -> dict[str, Any]:
    weights = {str(bucket): weight for bucket, weight in sorted(histogram.weights.items())}
    return {"reference": histogram.reference_s, "weights": weights}


def read_notes(document: Any) -> Notes:
    """Read what `Notes.to_json` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        if document["version"] != _VERSION:
            raise ValueError(f"its version is not {_VERSION}: begin a new file")
        containers = {(str(a), str(b), str(c)): int(n) for a, b, c, n in document["containers"]}
        seen = {_key(each["of"]): _read_seen(each) for each in document["seen"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it holds no samples of kubarium recommend ({error!r})") from error
    return Notes(seen, containers)


def _key(parts: Any) -> Key:
    namespace, kind, name, container = map(str, parts)
    return namespace, kind, name, container


def _read_seen(each: Mapping[str, Any]) -> Seen:
    return Seen(
        _read_histogram(each["cpu"], CPU),
        _read_histogram(each["memory"], MEMORY),
        {pod: (float(end_s), float(peak)) for pod, (end_s, peak) in each["peaks"].items()},
        float(each["first"]),
        float(each["last"]),
        int(each["samples"]),
    )


def _read_histogram(document: Mapping[str, Any], buckets: Buckets) -> Histogram:
    weights = {int(bucket): float(weight) for bucket, weight in document["weights"].items()}
    return Histogram(buckets, weights, float(document["reference"]))
