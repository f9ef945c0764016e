"""Jobs that have ended go after a while."""

from __future__ import annotations

import msgspec

from controllers import (
    garbage_collector,
    ttl_after_finished,
)
from controllers.core.batch import JOBS, NEW_JOBS, NewJob
from tests.support import builders, jobs
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def jobs_are_old(world: CrashWorld) -> None:
    """One goes some time after it has ended, with its pod first; another one may stay longer meanwhile."""
    for name in ("short", "long"):
        spec = {**msgspec.to_builtins(jobs.job(ttlSecondsAfterFinished=60).spec)}
        spec.pop("selector")
        made = NewJob(metadata=builders.meta(name, "default", uid=""), spec=spec)
        await world.server.given(NEW_JOBS, made)
        now = world.clock.timescale.format(world.clock.now())
        end = {"startTime": now, "completionTime": now, "succeeded": 1}
        said = [
            {"type": type_, "status": "True", "lastTransitionTime": now}
            for type_ in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"status": {**end, "conditions": said}}
        await world.user.patch(JOBS, name, status, namespace="default", subresource="status")
    await world.live(30)
    await world.user.patch(JOBS, "long", {"spec": {"ttlSecondsAfterFinished": 9000}}, namespace="default")
    await world.live(120)
    assert [each.metadata.name for each in (await world.user.list(JOBS)).items] == ["long"]


TRIALS = (Trial(jobs_are_old, (ttl_after_finished.build, garbage_collector.build), writes=1),)
