"""Which of a Job's running pods go when there are too many: those that have come least far.

Of an index that several pods have, one stays; a pod without an index that the Job has goes in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Final, TypeAlias

from controllers.core.batch import Job
from controllers.core.moment import Moment
from controllers.job.pods import is_indexed, valid_index
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_ready

_PHASES: Final = {"Pending": 0, "Unknown": 1}  # any other: 2
_Rank: TypeAlias = tuple[bool, int, bool, float, int, float]


def choose(job: Job, active: Sequence[Pod], at_least: int, moment: Moment) -> list[Pod]:
    """Return the pods that are to go: at least so many."""
    gone, left = _misplaced(job, active, moment) if is_indexed(job) else ([], list(active))
    more = max(0, at_least - len(gone))
    return [*gone, *nsmallest(more, left, key=lambda pod: _rank(pod, moment))]


def _misplaced(job: Job, active: Iterable[Pod], moment: Moment) -> tuple[list[Pod], list[Pod]]:
    gone: list[Pod] = []
    left: list[Pod] = []
    by_index: dict[int, list[Pod]] = {}
    for pod in active:
        by_index.setdefault(_index(pod, job), []).append(pod)
    for index in sorted(by_index):
        same = by_index[index]
        if len(same) > 1:  # as a rule each has one
            same.sort(key=lambda pod: _rank(pod, moment))
        stays = 0 if index < 0 else 1
        gone += same[: len(same) - stays]
        left += same[len(same) - stays :]
    return gone, left


def _index(pod: Pod, job: Job) -> int:
    index = valid_index(pod, job)
    return -1 if index is None else index


def _rank(pod: Pod, moment: Moment) -> _Rank:
    """Return how far a pod has come: assigned, running, ready, for long, without restarts, old."""
    ready = is_ready(pod)
    since = next((each.lastTransitionTime for each in pod.status.conditions if each.type == "Ready"), None)
    return (
        bool(pod.spec.nodeName),
        _PHASES.get(pod.status.phase, 2),
        ready,
        _age(since, moment) if ready else 0.0,
        -max((status.restartCount for status in pod.status.containerStatuses), default=0),
        _age(pod.metadata.creationTimestamp, moment),
    )


def _age(timestamp: str | None, moment: Moment) -> float:
    at_s = moment.at(timestamp)
    return -1.0 if at_s is None else moment.now_s - at_s + 1e9
