"""Which pods are counted now, and what the status says of them before and after.

See `controllers.job.tally` for the three steps. No more than 500 uids stand in the status at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from controllers.core.batch import JobStatus
from controllers.job import index_ranges
from controllers.job.failure_policy import judge
from controllers.job.pods import counts_for, index_of, is_failed, is_indexed, is_tracked, valid_index
from controllers.job.tally import Tally, uncounted_of
from machinery.model.k8s.batch_v1 import UncountedTerminatedPods
from machinery.model.k8s.core_v1 import Pod

MOST_UNCOUNTED: Final = 500


@dataclass(frozen=True, slots=True)
class Counted:
    """A status with all that can be counted, and the pods whose finalizer is to go once it is written."""

    status: JobStatus
    released: tuple[Pod, ...]
    is_whole: bool  # no pod that has ended is left to be counted


def count(tally: Tally, *, ends: bool, succeeds: bool) -> Counted:
    """Counted the pods that have ended; where the Job `ends`, every pod, as failed unless it `succeeds`."""
    status = _with_released(tally)
    lists = _Lists(status.uncountedTerminatedPods or UncountedTerminatedPods())
    released: list[Pod] = []
    for pod in _in_order(tally):
        if lists.length >= MOST_UNCOUNTED:
            break
        if not (ends or _can_go(tally, pod)):
            continue
        released.append(pod)
        if pod.status.phase == "Succeeded" and pod.metadata.uid not in lists.failed:
            _note_success(lists, pod, tally)
        elif is_failed(pod, tally.job) or (ends and not succeeds):
            _note_failure(lists, pod, tally)
    is_whole = lists.length < MOST_UNCOUNTED
    return Counted(_with_indexes(tally, lists, status), tuple(released), is_whole)


class _Lists:
    """The uids in the status, and the indexes that are new in it."""

    def __init__(self, uncounted: UncountedTerminatedPods) -> None:
        self.succeeded = dict.fromkeys(uncounted.succeeded)
        self.failed = dict.fromkeys(uncounted.failed)
        self.new_indexes: set[int] = set()

    @property
    def length(self) -> int:
        return len(self.succeeded) + len(self.failed) + len(self.new_indexes)


def _in_order(tally: Tally) -> Iterable[Pod]:
    """Return the pods that have not been counted for good, those of an Indexed Job by index."""
    tracked = [pod for pod in tally.pods if is_tracked(pod)]
    return sorted(tracked, key=lambda pod: index_of(pod) or 0) if is_indexed(tally.job) else tracked


def _can_go(tally: Tally, pod: Pod) -> bool:
    """Whether a pod's finalizer may go: it has ended, and no successor has to inherit its failures."""
    if tally.job.metadata.deletionTimestamp or pod.status.phase == "Succeeded":
        return True
    if not is_failed(pod, tally.job):
        return False
    index = index_of(pod)
    waiting = tally.to_replace.get(index) if index is not None else None
    return waiting is None or waiting.metadata.uid != pod.metadata.uid


def _note_success(lists: _Lists, pod: Pod, tally: Tally) -> None:
    if not is_indexed(tally.job):
        lists.succeeded[pod.metadata.uid] = None
        return
    index = valid_index(pod, tally.job)
    if index is not None and not index_ranges.contains(tally.completed_before, index):
        lists.new_indexes.add(index)


def _note_failure(lists: _Lists, pod: Pod, tally: Tally) -> None:
    job = tally.job
    if counts_for(pod, job) and judge(job.spec.podFailurePolicy, pod).counts:
        lists.failed[pod.metadata.uid] = None


def _with_released(tally: Tally) -> JobStatus:
    """Return the status with the pods counted whose finalizer has gone."""
    status, uncounted = tally.job.status, uncounted_of(tally.job)
    tracked = {pod.metadata.uid for pod in tally.pods if is_tracked(pod)}
    succeeded = [uid for uid in uncounted.succeeded if uid in tracked]
    failed = [uid for uid in uncounted.failed if uid in tracked]
    return replace(
        status,
        succeeded=status.succeeded + len(uncounted.succeeded) - len(succeeded),
        failed=status.failed + len(uncounted.failed) - len(failed),
        uncountedTerminatedPods=UncountedTerminatedPods(succeeded=succeeded, failed=failed),
    )


def _with_indexes(tally: Tally, lists: _Lists, status: JobStatus) -> JobStatus:
    uncounted = UncountedTerminatedPods(succeeded=[*lists.succeeded], failed=[*lists.failed])
    status = replace(status, uncountedTerminatedPods=uncounted)
    if not is_indexed(tally.job):
        return status
    completed = index_ranges.union(tally.completed_before, index_ranges.of(lists.new_indexes))
    failed = tally.failed_indexes
    return replace(
        status,
        succeeded=index_ranges.total(completed),
        completedIndexes=index_ranges.text(completed),
        failedIndexes=None if failed is None else index_ranges.text(failed),
    )
