"""Probes: what their tries amount to, and when they are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kubelet.core.probing import (
    Outcome,
    ProbeKind,
    Progress,
    first_delay_s,
    initial,
    judge_status,
    observe,
    resolve_port,
)
from kubelet.probes import Probes, RunningContainer
from machinery.model.errors import DeadlineExceeded, Unavailable
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerPort,
    ContainerStatus,
    ExecAction,
    HTTPGetAction,
    Pod,
    PodStatus,
    Probe,
)
from machinery.pb import cri_pb2 as cri
from tests.support.builders import changed, container, pod
from tests.support.kubelet_node import KeptEvents, ScriptedRuntime
from tests.support.virtual_clock import VirtualClock

GOOD, BAD = Outcome.SUCCESS, Outcome.FAILURE


def _run(progress: Progress, probe: Probe, *outcomes: Outcome) -> list[bool | None]:
    results = []
    for outcome in outcomes:
        progress = observe(progress, outcome, probe)
        results.append(progress.result)
    return results


def test_thresholds_count_equal_tries_in_a_row():
    """Two failures do not fail where three have to; a success in between begins anew."""
    probe = Probe(failureThreshold=3, successThreshold=2)
    ready = initial(ProbeKind.READINESS, was_good=False)
    assert _run(ready, probe, GOOD, GOOD) == [False, True]
    assert _run(Progress(result=True), probe, BAD, BAD, GOOD, BAD, BAD, BAD) == [True] * 5 + [False]


def test_what_nobody_knows_counts_neither_way():
    """An error of the prober is no failure of the container."""
    assert _run(Progress(result=True), Probe(failureThreshold=2), BAD, Outcome.ERROR, BAD) == [
        True,
        True,
        False,
    ]


def test_how_probes_begin():
    """Alive, not ready, not known to have started; a kubelet that starts again keeps what was so."""
    assert initial(ProbeKind.LIVENESS, was_good=False).result is True
    assert initial(ProbeKind.READINESS, was_good=False).result is False
    assert initial(ProbeKind.STARTUP, was_good=False).result is None
    assert initial(ProbeKind.READINESS, was_good=True).result is True


def test_the_initial_delay_counts_from_the_containers_start():
    """A kubelet that comes later does not wait again."""
    probe = Probe(initialDelaySeconds=10)
    assert (first_delay_s(probe, running_s=4), first_delay_s(probe, running_s=40)) == (6, 0)


@pytest.mark.parametrize(
    ("status", "outcome"), [(204, GOOD), (302, Outcome.WARNING), (404, BAD), (503, BAD), (101, BAD)]
)
def test_http_statuses(status: int, outcome: Outcome):
    """2xx is good, a redirect elsewhere is good with a warning."""
    assert judge_status(status) is outcome


def test_ports_may_be_named():
    """By the container's own names."""
    box = container(ports=[ContainerPort(name="web", containerPort=8080)])
    assert [resolve_port(box, port) for port in (80, "81", "web")] == [80, 81, 8080]
    with pytest.raises(ValueError, match="couldn't find named port: none"):
        resolve_port(box, "none")


class _World:
    def __init__(self) -> None:
        self.clock, self.runtime, self.events = VirtualClock(), ScriptedRuntime(), KeptEvents()
        self.changes: list[tuple[float, str]] = []
        begun_s = self.clock.now()
        self.probes = Probes(
            self.runtime,
            self.events,
            self.clock,
            on_change=lambda uid: self.changes.append((self.clock.now() - begun_s, uid)),
        )

    @asynccontextmanager
    async def watching(self, box: Container, one: Pod | None = None) -> AsyncIterator[Pod]:
        one = one or pod(containers=[box])
        running = asyncio.ensure_future(self.probes.run())
        self.probes.watch(one, [RunningContainer("main", "c1", self.clock.now())], "10.1.0.5")
        await self.clock.settle()
        try:
            yield one
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def state(self, container_id: str = "c1") -> tuple[bool, bool, bool]:
        """Return started, ready, alive."""
        key = ("uid-default-web", "main", container_id)
        return self.probes.started(*key), self.probes.ready(*key), self.probes.alive(*key).alive

    def answer(self, *codes: int) -> None:
        self.runtime.exec_answers = [cri.ExecSyncResponse(exit_code=code, stdout=b"said") for code in codes]


def _exec(**fields: int) -> Probe:
    return Probe(exec=ExecAction(command=["check"]), **fields)


async def test_a_container_without_probes_is_ready_when_it_runs():
    """And only under its present id."""
    world = _World()
    async with world.watching(container()):
        assert world.state() == (True, True, True)
        assert world.state("c0") == (False, False, True)


async def test_readiness_is_probed_promptly_and_then_each_period():
    """The worker is woken at each change, and the user is told of each failure."""
    world = _World()
    world.answer(0, 1, 1, 1, 0)
    async with world.watching(container(readinessProbe=_exec(periodSeconds=5))):
        await world.clock.advance(1)
        assert world.state() == (True, True, True)
        await world.clock.advance(12)
        assert world.state() == (True, True, True)  # two failures of three
        await world.clock.advance(5)
        assert world.state() == (True, False, True)
        await world.clock.advance(5)
        assert world.state() == (True, True, True)
    assert [at_s for at_s, _ in world.changes] == [0, 15, 20]
    assert world.events.messages == ["Readiness probe failed: said"] * 3
    assert world.events.all[0][2] == "Unhealthy"


async def test_on_a_simulated_runtime_every_probe_is_taken_for_answered():
    """No process listens there, and no packet may leave for an address that is somebody else's."""
    world = _World()
    world.probes.simulate()
    probe = Probe(httpGet=HTTPGetAction(port=8080), periodSeconds=5)
    async with world.watching(container(startupProbe=probe, readinessProbe=probe, livenessProbe=probe)):
        await world.clock.advance(11)
        assert world.state() == (True, True, True)
    assert world.events.messages == []


async def test_startup_holds_the_others_back():
    """Readiness and liveness begin when the startup probe has succeeded, at once."""
    world = _World()
    world.answer(1, 1, 0)
    box = container(
        startupProbe=_exec(periodSeconds=10, failureThreshold=5), readinessProbe=_exec(periodSeconds=100)
    )
    async with world.watching(box):
        await world.clock.advance(15)
        assert world.state() == (False, False, True)
        await world.clock.advance(6)
        assert world.state() == (True, True, True)


async def test_a_container_that_does_not_start_up_is_dead():
    """The verdict names the probe and the time that the container has to end."""
    world = _World()
    world.answer(1)
    box = container(startupProbe=_exec(periodSeconds=1, failureThreshold=2, terminationGracePeriodSeconds=4))
    async with world.watching(box):
        await world.clock.advance(5)
        verdict = world.probes.alive("uid-default-web", "main", "c1")
    assert (verdict.alive, verdict.probe, verdict.grace_s) == (False, "Startup", 4)
    assert verdict.message == "Container main failed startup probe, will be restarted"


async def test_a_dead_container_is_not_probed_on_and_its_successor_is():
    """Until the runtime has a new container there is nothing to ask."""
    world = _World()
    world.answer(1)
    box = container(livenessProbe=_exec(periodSeconds=1))
    async with world.watching(box) as one:
        await world.clock.advance(10)
        assert len(world.events.all) == 3
        assert world.state() == (True, True, False)
        world.answer(0)
        world.probes.watch(one, [RunningContainer("main", "c2", world.clock.now())], "10.1.0.5")
        await world.clock.advance(1)
        assert world.state("c2") == (True, True, True)
        assert world.state("c1") == (False, False, True)


async def test_a_kubelet_that_starts_again_does_not_take_readiness_away():
    """What the pod's status says of this very container holds until a probe says otherwise."""
    world = _World()
    world.answer(0)
    box = container(startupProbe=_exec(), readinessProbe=_exec(initialDelaySeconds=60))
    status = ContainerStatus(
        name="main", image="", imageID="", ready=True, started=True, restartCount=0, containerID="docker://c1"
    )
    one = changed(pod(containers=[box]), status=PodStatus(containerStatuses=[status]))
    async with world.watching(box, one):
        assert world.state() == (True, True, True)


async def test_a_pod_that_is_being_deleted_is_not_found_dead():
    """Its containers are stopped anyway."""
    world = _World()
    world.answer(1)
    box = container(livenessProbe=_exec(periodSeconds=1))
    one = pod(containers=[box], meta_fields={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    async with world.watching(box, one):
        await world.clock.advance(10)
        assert world.state() == (True, True, True)
    assert world.events.all == []


async def test_exec_that_hangs_fails_and_exec_that_cannot_be_made_counts_not():
    """A timeout is the container's failure, a broken runtime is not."""
    world = _World()
    world.runtime.exec_answers = [DeadlineExceeded("late"), Unavailable("runtime away")]
    async with world.watching(container(livenessProbe=_exec(periodSeconds=10, failureThreshold=1))):
        await world.clock.settle()
        assert world.state() == (True, True, False)
    assert world.events.messages[0] == 'Liveness probe failed: command timed out: "check" timed out after 1s'


async def test_a_forgotten_pod_is_not_probed():
    """Its tasks end."""
    world = _World()
    world.answer(1)
    async with world.watching(container(readinessProbe=_exec(periodSeconds=1))):
        await world.clock.settle()
        world.probes.forget("uid-default-web")
        seen = len(world.events.all)
        await world.clock.advance(10)
        assert (len(world.events.all), world.state()) == (seen, (False, False, True))
