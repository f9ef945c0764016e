"""The TTL-after-finished controller: https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/."""

import msgspec
import pytest

from controllers.core.actions import Documents, Facts
from controllers.core.batch import JOBS
from controllers.ttl_after_finished.plan import LATENESS, Seen, plan
from tests.support.builders import changed
from tests.support.controllers import at, moment
from tests.support.jobs import job

QUESTION = Documents(JOBS, "default", "work")


def ended(ttl_s, *, type_="Complete", at_s=-60.0, **fields):
    condition = {"type": type_, "status": "True", "lastTransitionTime": at(at_s)}
    return job(status={"conditions": [condition]}, ttlSecondsAfterFinished=ttl_s, **fields)


@pytest.mark.parametrize(
    ("job_", "wait_s"),
    [
        (ended(100), 40),
        (ended(100, type_="Failed"), 40),
        (ended(None), None),
        (job(ttlSecondsAfterFinished=0), None),
        (ended(0, metadata={"deletionTimestamp": at(-1)}), None),
    ],
)
def test_a_job_stays_as_long_as_it_may(job_, wait_s):
    """From its last condition on, whichever it is."""
    made = plan(Seen(job_), moment())
    assert (made.actions, made.needs, made.requeue_after_s) == ((), (), wait_s)


@pytest.mark.parametrize(
    ("live", "goes", "wait_s"),
    [
        (ended(60), True, None),
        (ended(100), False, 40),
        (changed(ended(60), metadata__uid="another"), False, None),
        (None, False, None),
    ],
)
def test_the_server_is_asked_before_a_job_goes(live, goes, wait_s):
    """It goes at the revision that was read, with its pods first."""
    assert plan(Seen(ended(60)), moment()).needs == (QUESTION,)
    found = () if live is None else (msgspec.to_builtins(live),)
    made = plan(Seen(ended(60)), moment(), Facts(documents={QUESTION: found}))
    assert (bool(made.actions), made.requeue_after_s) == (goes, wait_s)
    if goes:
        deletion, lateness = made.actions
        assert (deletion.uid, deletion.resource_version) == (live.metadata.uid, live.metadata.resourceVersion)
        assert deletion.propagation_policy == "Foreground"
        assert (lateness.metric, lateness.amount) == (LATENESS, 0)


def test_how_late_a_job_goes_is_counted():
    """From when its time was over."""
    late = ended(20)
    made = plan(Seen(late), moment(), Facts(documents={QUESTION: (msgspec.to_builtins(late),)}))
    assert made.actions[-1].amount == 40
