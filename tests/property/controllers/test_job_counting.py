"""Every pod of a Job is counted once: whatever order pods end in, however old the caches are, whoever dies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.core.actions import Census, Facts, Plan, Remember
from controllers.core.batch import COMPLETE, JOBS, Job, true_condition
from controllers.job.backoff import Failures
from controllers.job.plan import Seen, plan
from controllers.job.tally import newly_ended
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_active
from machinery.model.resources import PODS
from tests.support import jobs
from tests.support.controllers import Crashed, SmallWorld
from tests.support.examples import examples

Objects = dict[tuple[str, str, str], dict[str, Any]]


@dataclass
class Process:
    """One that leads: its caches are as old as it has been told of, and have what it has written itself."""

    jobs_at: int
    pods_at: int
    verified: bool = False
    failures: Failures = field(default_factory=Failures)


class Batch:
    """A Job at work, and a slow reference beside it: the pods that have ended, by their uid."""

    def __init__(self, *, trusting: bool = False, **fields: Any) -> None:
        self.world = SmallWorld()
        self.world.add(JOBS, jobs.job(**fields))
        self.trusting = trusting  # a fault: caches are never compared with the server
        self.history: list[Objects] = [dict(self.world.objects)]
        self.process = Process(0, 0)
        self.succeeded: set[str] = set()
        self.failed: set[str] = set()

    @property
    def job(self) -> Job:
        """The Job as it is."""
        [found] = self.world.list(JOBS)
        return found  # type: ignore[no-any-return]

    def note(self) -> None:
        """Note what the world is like."""
        if self.history[-1] != self.world.objects:
            self.history.append(dict(self.world.objects))

    def end(self, number: int, phase: str) -> None:
        """Be the kubelet: end one of the pods that work."""
        working = [pod for pod in self.world.list(PODS) if is_active(pod)]
        if working:
            pod = working[number % len(working)]
            self.world.change(PODS, pod.metadata.name, {"status": {"phase": phase}})
            (self.succeeded if phase == "Succeeded" else self.failed).add(pod.metadata.uid)
            self.note()

    def delete(self, number: int) -> None:
        """Be a user who deletes one of the pods that work."""
        working = [pod for pod in self.world.list(PODS) if is_active(pod)]
        if working:
            pod = working[number % len(working)]
            self.world.change(
                PODS, pod.metadata.name, {"metadata": {"deletionTimestamp": self.world.moment.text}}
            )
            self.failed.add(pod.metadata.uid)
            self.note()

    def restart(self, jobs_lag: int, pods_lag: int) -> None:
        """Another process takes over, whose caches are older or newer."""
        last = len(self.history) - 1
        self.process = Process(max(0, last - jobs_lag), max(0, last - pods_lag))

    def hear(self) -> None:
        """Everything reaches the caches."""
        self.process.jobs_at = self.process.pods_at = len(self.history) - 1

    def sync(self, crash_after: int | None) -> bool:
        """Plan, and carry it out, or die after so many writes; return whether something was written."""
        process = self.process
        cached_jobs = _of(self.history[process.jobs_at], JOBS)
        if not cached_jobs:
            return False
        pods: list[Pod] = _of(self.history[process.pods_at], PODS)
        job = cached_jobs[0]
        process.failures = process.failures.with_ended(*newly_ended(job, pods), self.world.moment)
        seen = Seen(job, pods, process.failures, process.verified or self.trusting)
        self.world.crash_after = None if crash_after is None else self.world.writes + crash_after
        made: list[Plan] = []

        def make(_facts: Facts) -> Plan:
            made.append(plan(seen, self.world.moment, self._facts(job)))
            return made[-1]

        before = self.world.revision
        try:
            self.world.run(make)
        except Crashed:
            self.note()
            self.restart(crash_after or 0, 2 * (crash_after or 0))
            return True
        self.note()
        wrote = self.world.revision != before
        if wrote:
            self.hear()
        elif any(isinstance(action, Remember) for action in made[-1].actions):
            process.verified = True
        return wrote

    def _facts(self, job: Job) -> Facts:
        metas = tuple(pod.metadata for pod in self.world.list(PODS))
        return Facts(collections={Census(PODS, job.metadata.namespace): metas})

    def check(self) -> None:
        """Nothing is counted that has not ended, and nothing twice."""
        status = self.job.status
        uncounted = status.uncountedTerminatedPods
        in_succeeded, in_failed = (uncounted.succeeded, uncounted.failed) if uncounted else ([], [])
        assert set(in_succeeded) <= self.succeeded
        assert set(in_failed) <= self.failed
        assert status.succeeded + len(in_succeeded) <= len(self.succeeded)
        assert status.failed + len(in_failed) <= len(self.failed)

    def settle(self) -> None:
        """Wait until everything is known and done, and every pod has succeeded."""
        for _ in range(200):
            self.hear()
            self.world.now_s += 700
            if not self.sync(None):
                if true_condition(self.job, COMPLETE):
                    return
                self.end(0, "Succeeded")
            self.check()
        raise AssertionError(f"the Job does not come to its end: {self.job.status}")


def _of(objects: Objects, resource: Any) -> list[Any]:
    return [
        msgspec.convert(obj, resource.type) for key, obj in sorted(objects.items()) if key[0] == str(resource)
    ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sync"), st.one_of(st.none(), st.integers(1, 4))),
        st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(["Succeeded", "Succeeded", "Failed"])),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("restart"), st.integers(0, 6), st.integers(0, 6)),
        st.tuples(st.just("hear")),
    ),
    max_size=40,
)


@given(steps=STEPS)
@examples(60)
def test_a_pod_is_counted_once(steps: list[tuple[Any, ...]]) -> None:
    """As succeeded or as failed, whoever dies after which write, and whatever its successor has not heard of yet."""
    batch = Batch(completions=4, parallelism=3, backoffLimit=1000)
    for name, *arguments in steps:
        getattr(batch, name)(*arguments)
        batch.check()
    batch.settle()
    assert batch.job.status.succeeded == len(batch.succeeded)
    assert batch.job.status.failed == len(batch.failed)


def test_a_process_that_trusts_old_caches_is_found() -> None:
    """The check is shown the fault: a pod that was counted before the process began is counted again."""

    def play(*, trusting: bool) -> Batch:
        batch = Batch(trusting=trusting, completions=2, parallelism=1)
        batch.sync(None)
        batch.sync(None)
        batch.end(0, "Succeeded")
        known = len(batch.history)
        batch.hear()
        while batch.sync(None):
            pass
        assert batch.job.status.succeeded == 1
        batch.restart(0, len(batch.history) - known)
        batch.sync(None)
        batch.check()
        return batch

    play(trusting=False).settle()
    with pytest.raises(AssertionError):
        play(trusting=True)
