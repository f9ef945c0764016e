"""Jobs: counted once, indexed, suspended, ended early, deleted."""

from __future__ import annotations

from functools import partial

import pytest

from controllers import garbage_collector, job
from controllers.core.batch import JOBS, true_condition
from controllers.job.pods import index_of
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.model.requests import DeleteOptions
from machinery.model.resources import PODS
from tests.support import jobs
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_batch_is_run(world: CrashWorld) -> None:
    """Two completions, of which one fails once."""
    await jobs.make(world, completions=2, parallelism=2)
    first = True

    def fails_once(_pod: Pod) -> str:
        nonlocal first
        first, was_first = False, first
        return "Failed" if was_first else "Succeeded"

    await jobs.run_until_quiet(world, fails_once)
    found = await world.user.get(JOBS, "work", namespace="default")
    assert (found.status.succeeded, found.status.failed) == (2, 1)
    assert true_condition(found, "Complete")
    assert not any(pod.metadata.finalizers for pod in (await world.user.list(PODS)).items)


async def indexes_fail(world: CrashWorld) -> None:
    """One of three indexes fails more often than it may."""
    spec = {"completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1, "backoffLimit": 99}
    await jobs.make(world, completionMode="Indexed", **spec)
    await jobs.run_until_quiet(world, lambda pod: "Failed" if index_of(pod) == 1 else "Succeeded")
    found = (await world.user.get(JOBS, "work", namespace="default")).status
    assert (found.completedIndexes, found.failedIndexes, found.failed) == ("0,2", "1", 2)
    assert [each.reason for each in found.conditions] == ["FailedIndexes"] * 2


async def a_job_is_suspended(world: CrashWorld) -> None:
    """While its pods work; then it goes on, with fewer at a time."""
    await jobs.make(world, completions=2, parallelism=2)
    await world.settle()
    await world.user.patch(JOBS, "work", {"spec": {"suspend": True}}, namespace="default")
    await world.settle()
    await world.cluster.end_pods()
    await world.settle()
    assert await world.cluster.pods() == []
    await world.user.patch(JOBS, "work", {"spec": {"suspend": False, "parallelism": 1}}, namespace="default")
    await jobs.run_until_quiet(world)
    found = (await world.user.get(JOBS, "work", namespace="default")).status
    assert (found.succeeded, found.failed, found.active) == (2, 0, 0)
    assert [each.type for each in found.conditions] == ["Suspended", "SuccessCriteriaMet", "Complete"]


async def a_policy_ends_a_job(world: CrashWorld) -> None:
    """The success of the first index is enough; the others are taken away."""
    policy = {"rules": [{"succeededIndexes": "0"}]}
    await jobs.make(world, completionMode="Indexed", completions=3, parallelism=3, successPolicy=policy)

    def the_first(pod: Pod) -> str:
        return "Succeeded" if index_of(pod) == 0 else "Running"

    await world.settle()
    await jobs.end_pods(world, the_first)
    await world.settle()
    await world.cluster.end_pods()
    await world.settle()
    found = (await world.user.get(JOBS, "work", namespace="default")).status
    assert (found.completedIndexes, found.failed, found.active) == ("0", 0, 0)
    assert found.conditions[-1].type == "Complete"


async def a_deadline_passes(world: CrashWorld) -> None:
    """What works then has failed."""
    await jobs.make(world, completions=2, parallelism=2, activeDeadlineSeconds=60)
    await world.settle()
    await world.live(90)
    await world.cluster.end_pods()
    await world.settle()
    found = await world.user.get(JOBS, "work", namespace="default")
    assert found.status.failed == 2
    failed = true_condition(found, "Failed")
    assert failed
    assert failed.reason == "DeadlineExceeded"


async def a_job_goes(world: CrashWorld, policy: str) -> None:
    """With pods that work and pods that have ended, and nobody holds them any more."""
    await jobs.make(world, completions=3, parallelism=2)
    await world.settle()
    await jobs.end_pods(world, lambda _pod: "Succeeded")
    options = DeleteOptions(propagation_policy=policy)
    await world.user.delete(JOBS, "work", namespace="default", options=options)
    await world.settle()
    await world.cluster.end_pods()
    await world.settle()
    with pytest.raises(NotFound):
        await world.user.get(JOBS, "work", namespace="default")
    left = (await world.user.list(PODS)).items
    assert not any(pod.metadata.finalizers or pod.metadata.ownerReferences for pod in left)
    assert bool(left) == (policy == "Orphan")


TRIALS = (
    Trial(a_batch_is_run, (job.build,), writes=12, quick=True),
    Trial(indexes_fail, (job.build,), writes=12),
    Trial(a_job_is_suspended, (job.build,), writes=12),
    Trial(a_policy_ends_a_job, (job.build,), writes=9),
    Trial(a_deadline_passes, (job.build,), writes=8),
    *(
        Trial(partial(a_job_goes, policy=policy), (job.build, garbage_collector.build), writes=5)
        for policy in ("Background", "Foreground", "Orphan")
    ),
)
