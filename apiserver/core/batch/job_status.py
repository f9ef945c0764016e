"""Which status of a Job may follow which: what has ended stays so, and says when and how.

Other controllers than Kubernetes' own may manage Jobs (`managedBy`), so that the server holds them to it. A rule is
applied where the fields that it is about change: what was stored before it came stays writable.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.batch import indexes
from apiserver.core.batch.job_spec import INDEXED
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_COUNTERS: Final = ("active", "succeeded", "failed", "ready", "terminating")
_FINAL: Final = ("Failed", "Complete", "FailureTarget")
_CONDITIONS: Final = "status.conditions"


@dataclass(frozen=True, slots=True)
class _Change:
    """A Job's status, the one before it, and what of it has changed."""

    own: Json  # the spec
    status: Json
    before: Json

    def is_true(self, condition: str) -> bool:
        return _is_true(self.status, condition)

    @property
    def is_finished(self) -> bool:
        return _is_finished(self.status)

    def has_changed(self, *fields: str) -> bool:
        return any(self.status.get(name) != self.before.get(name) for name in fields)

    def has_turned(self, *conditions: str) -> bool:
        """Whether one of the conditions has become true, or is so no more."""
        return any(_is_true(self.status, name) != _is_true(self.before, name) for name in conditions)

    def has_ended(self) -> bool:
        return _is_finished(self.status) != _is_finished(self.before)


def job_status_causes(new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with a change of a Job's status."""
    change = _Change(spec(new), new.get("status") or {}, old.get("status") or {})
    counters = [
        cause
        for name in _COUNTERS
        for cause in field_errors.not_negative(f"status.{name}", change.status.get(name))
    ]
    return [
        *counters,
        *_uncounted_causes(change.status),
        *_condition_causes(change),
        *_time_causes(change),
        *_finished_causes(change),
        *_index_causes(change),
        *_ready_causes(change),
        *_transition_causes(change),
    ]


def _is_true(status: Json, type_: str) -> bool:
    return any(
        each.get("type") == type_ and each.get("status") == "True" for each in status.get("conditions") or []
    )


def _is_finished(status: Json) -> bool:
    return _is_true(status, "Complete") or _is_true(status, "Failed")


def _uncounted_causes(status: Json) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    uncounted = status.get("uncountedTerminatedPods") or {}
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(uncounted.get(field) or []):
            where = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                found.append(field_errors.invalid(where, uid, "must not be empty"))
            elif uid in seen:
                found.append(field_errors.duplicate(where, uid))
            seen.add(uid)
    return found


def _condition_causes(change: _Change) -> list[Cause]:
    complete, failed = change.is_true("Complete"), change.is_true("Failed")
    failing, met = change.is_true("FailureTarget"), change.is_true("SuccessCriteriaMet")
    has_policy = "successPolicy" in change.own
    rules = (
        (complete and failed and change.has_turned("Complete", "Failed"), "cannot set Complete=True and Failed=true conditions"),
        (complete and failing and change.has_turned("Complete", "FailureTarget"), "cannot set Complete=True and FailureTarget=true conditions"),
        (failed and not failing and (change.has_turned("Failed") or change.has_changed("failedIndexes")), "cannot set Failed=True condition without the FailureTarget=true condition"),
        (complete and not met and change.has_turned("Complete", "SuccessCriteriaMet"), "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
        (met and failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (met and failing, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        (has_policy and complete and not met, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"),
    )  # fmt: skip
    return [field_errors.invalid_without_value(_CONDITIONS, text) for is_broken, text in rules if is_broken]


def _time_causes(change: _Change) -> list[Cause]:
    started, ended = change.status.get("startTime"), change.status.get("completionTime")
    complete, path = change.is_true("Complete"), "status.completionTime"
    found: list[Cause] = []
    if change.has_turned("Complete") or change.has_changed("completionTime"):
        if ended and not complete:
            text = "cannot set completionTime when there is no Complete=True condition"
            found.append(field_errors.invalid(path, ended, text))
        if complete and not ended:
            found.append(field_errors.required(path, "completionTime is required for Complete jobs"))
    is_moved = change.has_changed("startTime", "completionTime")
    if is_moved and started and ended and ended < started:  # in one form, so that texts compare as times do
        found.append(field_errors.invalid(path, ended, "must be equal to or after `startTime`"))
    return found


def _finished_causes(change: _Change) -> list[Cause]:
    """Check that a Job that has ended has no pods left, and had begun."""
    if not change.is_finished:
        return []
    status, found = change.status, []
    if status.get("active", 0) > 0 and _ended_or(change, "active"):
        text = "active>0 is invalid for finished job"
        found.append(field_errors.invalid("status.active", status["active"], text))
    is_suspended = change.own.get("suspend")  # it may end without having begun: no completions are asked for
    if not status.get("startTime") and not is_suspended and _ended_or(change, "startTime"):
        found.append(field_errors.required("status.startTime", "startTime is required for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if any(uncounted.values()) and _ended_or(change, "uncountedTerminatedPods"):
        path, text = "status.uncountedTerminatedPods", "must be empty for finished job"
        found.append(field_errors.invalid(path, uncounted, text))
    if status.get("terminating", 0) > 0 and _ended_or(change, "terminating"):
        text = "terminating>0 is invalid for finished job"
        found.append(field_errors.invalid("status.terminating", status["terminating"], text))
    return found


def _ended_or(change: _Change, field: str) -> bool:
    return change.has_ended() or change.has_changed(field)


def _index_causes(change: _Change) -> list[Cause]:
    completed, failed = change.status.get("completedIndexes", ""), change.status.get("failedIndexes")
    completions, per_index = change.own.get("completions"), "backoffLimitPerIndex" in change.own
    found: list[Cause] = []
    if change.has_changed("completedIndexes"):
        found += _listed_causes("completedIndexes", completed, completions)
        if completed and change.own.get("completionMode") != INDEXED:
            text = "cannot set non-empty completedIndexes when non-indexed completion mode"
            found.append(field_errors.invalid("status.completedIndexes", completed, text))
    if failed is not None and change.has_changed("failedIndexes"):
        found += _listed_causes("failedIndexes", failed, completions if per_index else None)
        if not per_index:
            text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            found.append(field_errors.invalid("status.failedIndexes", failed, text))
    if failed and completions is not None and change.has_changed("failedIndexes", "completedIndexes"):
        common = indexes.first_common(completed, failed, completions) if completed else None
        if common is not None:
            text = f"failedIndexes and completedIndexes overlap at index: {common}"
            found.append(field_errors.invalid("status.failedIndexes", failed, text))
    return found


def _listed_causes(field: str, text: str, completions: int | None) -> list[Cause]:
    if completions is None:
        return []
    try:
        indexes.count(text, completions)
    except ValueError as error:
        return [field_errors.invalid(f"status.{field}", text, f"error parsing {field}: {error}")]
    return []


def _ready_causes(change: _Change) -> list[Cause]:
    ready, active = change.status.get("ready", 0), change.status.get("active", 0)
    if ready <= active or not change.has_changed("ready", "active"):
        return []
    return [field_errors.invalid("status.ready", ready, "cannot set more ready pods than active")]


def _transition_causes(change: _Change) -> list[Cause]:
    """Check that nothing is taken back."""
    status, before, own = change.status, change.before, change.own
    found = [
        field_errors.invalid_without_value(_CONDITIONS, f"cannot disable the terminal {name}=True condition")
        for name in _FINAL
        if _is_true(before, name) and not _is_true(status, name)
    ]
    found += _decrease_causes("failed", status, before)
    is_elastic = own.get("completionMode") == INDEXED and own.get("completions") == own.get("parallelism")
    if not is_elastic:  # one that is may be scaled down
        found += _decrease_causes("succeeded", status, before)
    ended, was = status.get("completionTime"), before.get("completionTime")
    if ended and was and ended != was:
        found.append(field_errors.invalid("status.completionTime", ended, "field is immutable"))
    is_resumed = _is_true(before, "Suspended") and not _is_true(status, "Suspended")
    is_moved = before.get("startTime") and change.has_changed("startTime")
    if is_moved and not own.get("suspend") and not is_resumed:
        text = "startTime cannot be removed for unsuspended job"
        found.append(field_errors.required("status.startTime", text))
    return found + _criteria_causes(status, before)


def _criteria_causes(status: Json, before: Json) -> list[Cause]:
    met, was_met = _is_true(status, "SuccessCriteriaMet"), _is_true(before, "SuccessCriteriaMet")
    if was_met and not met:
        text = "cannot disable the SuccessCriteriaMet=True condition"
        return [field_errors.invalid_without_value(_CONDITIONS, text)]
    if met and not was_met and _is_true(before, "Complete"):
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        return [field_errors.invalid_without_value(_CONDITIONS, text)]
    return []


def _decrease_causes(field: str, status: Json, before: Json) -> list[Cause]:
    count: Any = status.get(field, 0)
    if count >= before.get(field, 0):
        return []
    return [field_errors.invalid(f"status.{field}", count, f"cannot decrease the {field} counter")]
