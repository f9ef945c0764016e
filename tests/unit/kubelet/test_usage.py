"""What a node uses: rates between two looks at counters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubelet.core.usage import NODE, Counter, Look, Running, RunningPod, base_of, windows
from kubelet.usage import UsageWindows
from machinery.pb import cri_pb2 as cri
from tests.support.virtual_clock import VirtualClock

S = 1_000_000_000


def look(at_s: float, **cpu_s: float) -> Look:
    """Return a look with counters of containers by id; each is a pod's."""
    at_ns = int(at_s * S)
    counters = {id_: Counter(at_ns, int(spent * S), 4096) for id_, spent in cpu_s.items()}
    pods = tuple(RunningPod("default", id_, f"uid-{id_}", (Running(id_, "main"),)) for id_ in cpu_s)
    return Look(at_ns, counters | {NODE: Counter(at_ns, int(at_s * S) // 2, 8192)}, pods)


@pytest.mark.parametrize(
    ("looks", "now", "expected"),
    [
        ([], look(10), None),
        ([look(8)], look(10), None),  # too short ago
        ([look(1), look(4), look(9)], look(10), 4),  # the latest that is old enough
        ([look(1)], look(100), None),  # too long ago
        ([look(1, a=1)], look(10, a=1, b=0), None),  # a new container
        ([look(1, a=1, b=1)], look(10, a=1), 1),  # one has ended
    ],
)
def test_the_look_that_a_window_begins_with(looks: list[Look], now: Look, expected: int | None):
    """It has seen every container, and is neither too young nor too old."""
    found = base_of(looks, now, 5 * S, 60 * S)
    assert (found.at_ns // S if found else None) == expected


def test_rates():
    """Each container's since the first look that has it; a pod of which nothing is known is left out."""
    found = windows((look(10, a=1), look(14, a=3, b=0)), look(15, a=6, b=0.5, c=1))
    [a, b] = found.pods
    assert (a.pod.name, a.containers[0][0]) == ("a", "main")
    assert (a.containers[0][1].cpu_nano_cores, a.containers[0][1].length_ns) == (S, 5 * S)
    assert (b.containers[0][1].cpu_nano_cores, b.containers[0][1].length_ns) == (S // 2, S)
    assert found.node is not None
    assert (found.node.cpu_nano_cores, found.node.memory_bytes) == (S // 2, 8192)


def test_a_counter_never_runs_backwards():
    """A counter that began anew means that nothing is known to be used, never less."""
    found = windows((look(10, a=9),), look(15, a=1))
    assert found.pods[0].containers[0][1].cpu_nano_cores == 0


class _Runtime:
    """One container that uses half a core."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.looks = 0

    async def sandbox_stats(self) -> list[Any]:
        self.looks += 1
        at_ns = self.clock.wall_ns()
        cpu = cri.CpuUsage(timestamp=at_ns, usage_core_nano_seconds=cri.UInt64Value(value=at_ns // 2))
        memory = cri.MemoryUsage(timestamp=at_ns, working_set_bytes=cri.UInt64Value(value=4096))
        named = cri.ContainerAttributes(id="c", metadata=cri.ContainerMetadata(name="main"))
        ended = cri.ContainerStats(attributes=cri.ContainerAttributes(id="e"))
        each = [cri.ContainerStats(attributes=named, cpu=cpu, memory=memory), ended]
        attributes = cri.PodSandboxAttributes(
            metadata=cri.PodSandboxMetadata(name="web", namespace="default")
        )
        return [cri.PodSandboxStats(attributes=attributes, linux=cri.LinuxPodSandboxStats(containers=each))]


async def test_who_asks_again_gets_the_window_since_then():
    """The first answer takes a second of wall time; several who ask at once wait together; later ones do not wait."""
    clock = VirtualClock()
    runtime = _Runtime(clock)
    usage = UsageWindows(runtime, lambda: None, clock)
    begun = clock.monotonic()
    first, second = await asyncio.gather(usage.read(), usage.read())
    assert clock.monotonic() - begun == pytest.approx(1)
    assert second is first
    assert first.pods[0].containers[0][1].cpu_nano_cores == S // 2
    assert second.node is not None
    assert second.node.memory_bytes == 4096  # of a simulated node: what its pods use
    await clock.sleep(10)
    begun = clock.monotonic()
    third = await usage.read()
    assert (clock.monotonic(), runtime.looks) == (begun, 3)
    assert third.pods[0].containers[0][1].length_ns == 10 * S
