"""What the CronJob controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from controllers.core.batch import CRON_JOBS, JOBS, CronJob, Job
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, by_controller
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.cronjob.plan import Seen, Started, plan
from machinery.model.owners import controller_of
from machinery.model.requests import EventType
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "cronjob-controller",
        (Watched(reader.cron_jobs, reader.itself), Watched(reader.jobs, owners)),
        reader.look,
        plan,
        notes=(Noted(reader.cron_jobs, reader.note),),
        workers=5,
        remember=reader.remember,
        writes=frozenset({"create jobs.batch", "delete jobs.batch", "patch cronjobs.batch/status"}),
    )


class Reader:
    """Reads the caches; remembers which starts were made, and which schedules are new."""

    def __init__(self, caches: Caches) -> None:
        self.cron_jobs = caches.ask(CRON_JOBS)
        self.jobs = caches.ask(JOBS, indexes={BY_CONTROLLER: by_controller})
        self._started_s: dict[str, float] = {}  # by uid
        self._rescheduled: set[str] = set()

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a CronJob with its Jobs."""
        namespace, name = key
        cron_job = self.cron_jobs.store.get(namespace, name)
        if cron_job is None:
            return None
        uid = cron_job.metadata.uid
        is_new = uid in self._rescheduled
        self._rescheduled.discard(uid)
        jobs = self.jobs.store.by_index(BY_CONTROLLER, uid)
        return Seen(cron_job, jobs, self._started_s.get(uid), is_rescheduled=is_new)

    def remember(self, what: Any) -> None:
        """Remember a start."""
        if isinstance(what, Started):
            self._started_s[what.uid] = what.at_s

    def note(self, change: Change[CronJob], _now_s: float) -> None:
        """Forget a CronJob that is gone."""
        if change.kind is EventType.DELETED:
            self._started_s.pop(change.object.metadata.uid, None)
            self._rescheduled.discard(change.object.metadata.uid)

    def itself(self, change: Change[CronJob]) -> Iterable[Key]:
        """Return the CronJob, and note where its schedule is another one."""
        old, new = change.old, change.new
        if old is not None and new is not None and _times(old) != _times(new):
            self._rescheduled.add(new.metadata.uid)
        return (key_of(change.object.metadata),)


def _times(cron_job: CronJob) -> tuple[str, str | None]:
    return cron_job.spec.schedule, cron_job.spec.timeZone


def owners(change: Change[Job]) -> Iterator[Key]:
    """Return the CronJobs that control a Job, before and after."""
    for state in (change.old, change.new):
        owner = controller_of(state.metadata) if state is not None else None
        if owner is not None and owner.kind == CRON_JOBS.kind:
            yield change.object.metadata.namespace, owner.name
