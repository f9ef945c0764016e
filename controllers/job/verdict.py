"""Whether a Job has come to its end, and why: as the condition that is written before its last pods are counted.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup
"""

from __future__ import annotations

from controllers.core.batch import COMPLETE, FAILED, FAILURE_TARGET, SUCCESS_CRITERIA_MET, Job, true_condition
from controllers.core.moment import Moment
from controllers.job import index_ranges
from controllers.job.failure_policy import judge
from controllers.job.pods import is_failed
from controllers.job.tally import Tally
from machinery.model.k8s.batch_v1 import JobCondition, SuccessPolicyRule


def judge_job(tally: Tally, moment: Moment) -> JobCondition | None:
    """Return why the Job ends, None where it goes on.

    What it says does not stop a Job from being done otherwise: see `completed`.
    """
    decided = true_condition(tally.job, SUCCESS_CRITERIA_MET) or true_condition(tally.job, FAILURE_TARGET)
    return decided or _failure(tally, moment) or _success(tally, moment)


def final(interim: JobCondition, moment: Moment) -> JobCondition:
    """Return the condition that ends the Job for the same reason."""
    type_ = COMPLETE if interim.type == SUCCESS_CRITERIA_MET else FAILED
    return condition(type_, interim.reason, interim.message, moment)


def completed(moment: Moment) -> JobCondition:
    """Return the condition of a Job with as many successes as it asks for."""
    return condition(
        SUCCESS_CRITERIA_MET, "CompletionsReached", "Reached expected number of succeeded pods", moment
    )


def condition(type_: str, reason: str, message: str, moment: Moment, status: str = "True") -> JobCondition:
    """Return a condition as of now."""
    return JobCondition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        lastProbeTime=moment.text,
        lastTransitionTime=moment.text,
    )


def deadline_in_s(job: Job, moment: Moment) -> float | None:
    """Return how long the Job may still be active, None where that is not limited or it is suspended."""
    if job.spec.activeDeadlineSeconds is None or not job.status.startTime or job.spec.suspend:
        return None
    return job.spec.activeDeadlineSeconds - moment.since(job.status.startTime)


def _failure(tally: Tally, moment: Moment) -> JobCondition | None:
    job = tally.job
    if message := _policy_message(tally):
        return condition(FAILURE_TARGET, "PodFailurePolicy", message, moment)
    if tally.failed > job.spec.backoffLimit or _restarts_exceed(tally):
        text = "Job has reached the specified backoff limit"
        return condition(FAILURE_TARGET, "BackoffLimitExceeded", text, moment)
    left_s = deadline_in_s(job, moment)
    if left_s is not None and left_s <= 0:
        text = "Job was active longer than specified deadline"
        return condition(FAILURE_TARGET, "DeadlineExceeded", text, moment)
    return _index_failure(tally, moment)


def _policy_message(tally: Tally) -> str:
    policy = tally.job.spec.podFailurePolicy
    if policy is None:
        return ""
    messages = (judge(policy, pod).message for pod in tally.pods if is_failed(pod, tally.job))
    return next(filter(None, messages), "")


def _restarts_exceed(tally: Tally) -> bool:
    """Whether containers of pods that restart them have ended too often; a Job that allows no failure allows none of them."""
    job = tally.job
    if (job.spec.template.get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    working = [pod for pod in tally.pods if pod.status.phase in {"Running", "Pending"}]
    restarts = sum(
        status.restartCount
        for pod in working
        for status in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    )
    return restarts >= max(job.spec.backoffLimit, 1)


def _index_failure(tally: Tally, moment: Moment) -> JobCondition | None:
    job = tally.job
    if tally.failed_indexes is None:
        return None
    failed = index_ranges.total(tally.failed_indexes)
    if job.spec.maxFailedIndexes is not None and failed > job.spec.maxFailedIndexes:
        text = "Job has exceeded the specified maximal number of failed indexes"
        return condition(FAILURE_TARGET, "MaxFailedIndexesExceeded", text, moment)
    if failed and failed + index_ranges.total(tally.completed) >= (job.spec.completions or 0):
        return condition(FAILURE_TARGET, "FailedIndexes", "Job has failed indexes", moment)
    return None


def _success(tally: Tally, moment: Moment) -> JobCondition | None:
    policy = tally.job.spec.successPolicy
    if policy is None or not tally.completed:
        return None
    for index, rule in enumerate(policy.rules):
        if _is_met(rule, tally):
            return condition(SUCCESS_CRITERIA_MET, "SuccessPolicy", f"Matched rules at index {index}", moment)
    return None


def _is_met(rule: SuccessPolicyRule, tally: Tally) -> bool:
    enough = rule.succeededCount
    if not rule.succeededIndexes:
        return enough is not None and index_ranges.total(tally.completed) >= enough
    asked = index_ranges.parse(rule.succeededIndexes, tally.job.spec.completions or 0)
    if not asked:
        return False
    done = index_ranges.common(asked, tally.completed)
    return done == index_ranges.total(asked) or (enough is not None and done >= enough)
