"""A Job's pods: which index one has, whether and when it ended, and what a new one looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from controllers.core.batch import INDEXED, TRACKING, Job
from controllers.core.moment import Moment
from controllers.core.workloads import NewPod, template_labels
from controllers.job.failure_policy import judge
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.names import LABEL_LENGTH
from machinery.model.owners import owner_reference
from machinery.model.pods import is_terminating

INDEX: Final = "batch.kubernetes.io/job-completion-index"  # an annotation, and a label
FAILURE_COUNT: Final = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURE_COUNT: Final = "batch.kubernetes.io/job-index-ignored-failure-count"
_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_LONGEST_PREFIX: Final = LABEL_LENGTH - 5  # a generated name ends in five characters more
_NUMBER: Final = re.compile(r"\+?[0-9]{1,10}", re.ASCII)
_LARGEST: Final = 2**31 - 1


def is_tracked(pod: Pod) -> bool:
    """Whether a pod has not been counted, or not for good."""
    return TRACKING in pod.metadata.finalizers


def is_indexed(job: Job) -> bool:
    """Whether each completion of a Job has an index."""
    return job.spec.completionMode == INDEXED


def replaces_only_failed(job: Job) -> bool:
    """Whether a pod that is being deleted is not replaced before it has ended."""
    return job.spec.podReplacementPolicy == "Failed" or job.spec.podFailurePolicy is not None


def is_failed(pod: Pod, job: Job) -> bool:
    """Whether a pod counts as failed: where its end is not waited for, also one that is being deleted."""
    if pod.status.phase == "Failed":
        return True
    if replaces_only_failed(job):
        return False
    return is_terminating(pod) and pod.status.phase != "Succeeded"


def index_of(pod: Pod) -> int | None:
    """Return a pod's completion index, None where it has none that can be read."""
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if _NUMBER.fullmatch(text) else None


def valid_index(pod: Pod, job: Job) -> int | None:
    """Return a pod's completion index, None where the Job has no such index."""
    index = index_of(pod)
    return index if index is not None and index < (job.spec.completions or 0) else None


def counts_for(pod: Pod, job: Job) -> bool:
    """Whether a pod is one that the Job counts."""
    return not is_indexed(job) or valid_index(pod, job) is not None


def failures_of_index(pod: Pod) -> int:
    """Return how many failures of its index went before a pod."""
    return _count(pod, FAILURE_COUNT)


def all_failures_of_index(pod: Pod) -> int:
    """Return how many there were with those that were ignored."""
    return failures_of_index(pod) + _count(pod, IGNORED_FAILURE_COUNT)


def _count(pod: Pod, annotation: str) -> int:
    text = pod.metadata.annotations.get(annotation, "")
    number = int(text) if _NUMBER.fullmatch(text) else 0
    return number if number <= _LARGEST else 0


def ended_s(pod: Pod, moment: Moment) -> float:
    """Return when a pod ended: its last container, or it was not ready any more, or its deletion was asked for."""
    at = _containers_ended(pod, moment)
    if at is None:
        at = next(
            (moment.at(each.lastTransitionTime) for each in pod.status.conditions if _is_unready(each)), None
        )
    if at is None and (deletion := moment.at(pod.metadata.deletionTimestamp)) is not None:
        at = deletion - (pod.metadata.deletionGracePeriodSeconds or 0)
    return at if at is not None else moment.at(pod.metadata.creationTimestamp) or 0.0


def _containers_ended(pod: Pod, moment: Moment) -> float | None:
    ends = [
        moment.at(status.state.terminated.finishedAt) if status.state and status.state.terminated else None
        for status in pod.status.containerStatuses
    ]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _is_unready(condition: Any) -> bool:
    return condition.type == "Ready" and condition.status == "False" and bool(condition.lastTransitionTime)


def new_pod(job: Job, index: int | None, replaced: Pod | None) -> NewPod:
    """Write the pod of a Job's template; `replaced` is the failed one of the same index whose failures it inherits."""
    template = job.spec.template
    metadata = template.get("metadata") or {}
    spec = template.get("spec") or {}
    labels = dict(template_labels(template))
    annotations = dict(metadata.get("annotations") or {})
    prefix = f"{job.metadata.name}-"
    if is_indexed(job):
        spec = with_index_variable(spec)
    if index is not None:
        annotations |= {INDEX: str(index), **_failure_annotations(job, replaced)}
        labels |= {INDEX: str(index)}
        spec = spec | {"hostname": f"{job.metadata.name}-{index}"}
        prefix = _indexed_prefix(job.metadata.name, index)
    return NewPod(
        metadata=ObjectMeta(
            generateName=prefix,
            namespace=job.metadata.namespace,
            labels=labels,
            annotations=annotations,
            finalizers=[*dict.fromkeys([*(metadata.get("finalizers") or []), TRACKING])],
            ownerReferences=[owner_reference(job)],
        ),
        spec=spec,
    )


def _indexed_prefix(name: str, index: int) -> str:
    return f"{name[: _LONGEST_PREFIX - len(f'-{index}-')]}-{index}-"


def _failure_annotations(job: Job, replaced: Pod | None) -> Mapping[str, str]:
    if job.spec.backoffLimitPerIndex is None:
        return {}
    if replaced is None:
        return {FAILURE_COUNT: "0"}
    counts = judge(job.spec.podFailurePolicy, replaced).counts
    failures, ignored = (
        failures_of_index(replaced) + counts,
        _count(replaced, IGNORED_FAILURE_COUNT) + (not counts),
    )
    return {FAILURE_COUNT: str(failures), **({IGNORED_FAILURE_COUNT: str(ignored)} if ignored else {})}


def with_index_variable(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a pod whose containers know the index."""
    return spec | {
        field: [_knowing(container) for container in spec[field]]
        for field in ("initContainers", "containers")
        if spec.get(field)
    }


def _knowing(container: dict[str, Any]) -> dict[str, Any]:
    env = container.get("env") or []
    if any(each.get("name") == _INDEX_VARIABLE for each in env):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    return container | {"env": [*env, {"name": _INDEX_VARIABLE, "valueFrom": source}]}
