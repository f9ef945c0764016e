"""A CronJob."""

from __future__ import annotations

import msgspec

from controllers import (
    cronjob,
)
from controllers.core.batch import CRON_JOBS, JOBS
from controllers.cronjob.new_job import SCHEDULED
from tests.support import jobs
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_clock_ticks(world: CrashWorld) -> None:
    """A Job is made every ten minutes; it ends, and goes; the next one still works when another is due."""
    template = {"spec": {"template": jobs.job().spec.template}}
    spec = {
        "schedule": "*/10 * * * *",
        "jobTemplate": template,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 0,
    }
    tick = {"metadata": {"name": "tick", "namespace": "default"}, "spec": spec}
    await world.server.given(CRON_JOBS, msgspec.convert(tick, CRON_JOBS.type))
    await world.live(690)
    [first] = (await world.user.list(JOBS)).items
    end = {"startTime": "2026-01-01T00:10:00Z", "completionTime": "2026-01-01T00:11:00Z", "succeeded": 1}
    said = [{"type": type_, "status": "True"} for type_ in ("SuccessCriteriaMet", "Complete")]
    status = {"status": {**end, "conditions": said}}
    await world.user.patch(JOBS, first.metadata.name, status, namespace="default", subresource="status")
    await world.live(1200)
    [second] = (await world.user.list(JOBS)).items
    known = (await world.user.get(CRON_JOBS, "tick", namespace="default")).status
    assert second.metadata.annotations[SCHEDULED] == known.lastScheduleTime == "2026-01-01T00:20:00Z"
    assert [each.uid for each in known.active] == [second.metadata.uid]
    assert known.lastSuccessfulTime == "2026-01-01T00:11:00Z"


TRIALS = (Trial(a_clock_ticks, (cronjob.build,), writes=6),)
