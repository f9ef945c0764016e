"""What the controller of finished Jobs' time watches and looks at."""

from __future__ import annotations

from controllers.core.batch import JOBS
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.ttl_after_finished.plan import Seen, plan


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    jobs = caches.ask(JOBS, fields=("spec.ttlSecondsAfterFinished", "status.conditions"))

    def look(key: Key, _moment: Moment) -> Seen | None:
        job = jobs.store.get(*key)
        return Seen(job) if job is not None else None

    return Controller(
        "ttl-after-finished-controller",
        (Watched(jobs, itself),),
        look,
        plan,
        workers=5,
        writes=frozenset({"delete jobs.batch"}),
    )
