"""What the containers of a node use, over a window: the rates between two looks at their counters.

Counters of CPU time only tell what was used since some moment, so that a rate needs two looks. Each look is remembered for
a while; whoever asks regularly gets the window since the last time.
https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kubelet.core import labels

_EXACT: Final = 10_000  # nanocores: a clock that counts from 1970 tells no more of a second
NODE: Final = ""
"""What the counter of the node in all is found by, where containers have their ids."""


@dataclass(frozen=True, slots=True)
class Counter:
    """What a container, or the node, had used by a moment; wall nanoseconds since 1970."""

    at_ns: int
    cpu_ns: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod, and its containers that run."""

    namespace: str
    name: str
    uid: str
    containers: tuple[Running, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    at_ns: int
    counters: Mapping[str, Counter]  # by the container's id, or NODE
    pods: tuple[RunningPod, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """What was used between two looks."""

    end_ns: int
    length_ns: int
    cpu_nano_cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodWindows:
    """What the containers of a pod used."""

    pod: RunningPod
    containers: tuple[tuple[str, Window], ...]  # by name


@dataclass(frozen=True, slots=True)
class Windows:
    """What a node and its pods used."""

    node: Window | None
    pods: tuple[PodWindows, ...]


def read_look(at_ns: int, node: Counter | None, stats: Iterable[Any]) -> Look:
    """Return what CRI's PodSandboxStats tell at a moment; without `node` it is what its pods use together."""
    counters: dict[str, Counter] = {}
    pods = []
    for each in stats:
        running = tuple(_running(each, counters))
        meta = each.attributes.metadata
        pods.append(RunningPod(meta.namespace, meta.name, meta.uid, running))
    counters[NODE] = node or _together(at_ns, counters.values())
    return Look(at_ns, counters, tuple(pods))


def _running(stats: Any, counters: dict[str, Counter]) -> Iterable[Running]:
    for each in stats.linux.containers:
        cpu, memory = each.cpu, each.memory
        if not cpu.timestamp:
            continue  # it does not run
        id_ = each.attributes.id
        counters[id_] = Counter(
            cpu.timestamp, cpu.usage_core_nano_seconds.value, memory.working_set_bytes.value
        )
        yield Running(
            id_, each.attributes.labels.get(labels.CONTAINER_NAME, "") or each.attributes.metadata.name
        )


def _together(at_ns: int, counters: Iterable[Counter]) -> Counter:
    known = list(counters)
    return Counter(at_ns, sum(each.cpu_ns for each in known), sum(each.memory_bytes for each in known))


def base_of(looks: Sequence[Look], now: Look, least_ns: int, most_ns: int) -> Look | None:
    """Return the latest look that is old enough to be compared with one of now, and not too old; None where there is none.

    A container that none of them has seen needs a look of its own, so there is none either.
    """
    for look in reversed(looks):
        age_ns = now.at_ns - look.at_ns
        if age_ns > most_ns:
            return None
        if age_ns >= least_ns:
            return look if now.counters.keys() <= look.counters.keys() else None
    return None


def windows(bases: Sequence[Look], now: Look) -> Windows:
    """Return what was used since earlier looks: of each container since the first of them that has seen it.

    A pod with a container that none has seen is left out: what it uses is not known yet.
    """
    found = []
    for pod in now.pods:
        each = [(one.name, _window(bases, now, one.id)) for one in pod.containers]
        known = tuple((name, window) for name, window in each if window is not None)
        if known and len(known) == len(each):
            found.append(PodWindows(pod, known))
    return Windows(_window(bases, now, NODE), tuple(found))


def _window(bases: Sequence[Look], now: Look, id_: str) -> Window | None:
    after = now.counters[id_]
    before = next((each.counters[id_] for each in bases if id_ in each.counters), None)
    if before is None or after.at_ns <= before.at_ns:
        return None
    length_ns = after.at_ns - before.at_ns
    rate = max(0, after.cpu_ns - before.cpu_ns) * 1_000_000_000 / length_ns
    return Window(after.at_ns, length_ns, round(rate / _EXACT) * _EXACT, after.memory_bytes)
