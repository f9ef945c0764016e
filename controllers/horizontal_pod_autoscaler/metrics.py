"""A metric of an autoscaler's spec: what is asked for it, what that comes to, and how its status shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

from controllers.core.actions import Facts, Need, Part, Refusal, Selected
from controllers.core.printed_selectors import printed
from controllers.horizontal_pod_autoscaler import custom_metrics as custom
from controllers.horizontal_pod_autoscaler.pod_metrics import UnknownUsageError, milli, usage_of
from controllers.horizontal_pod_autoscaler.replicas import (
    Target,
    Wanted,
    by_share_of_value,
    by_utilization,
    by_value,
    by_whole_value,
)
from machinery.model import resource_metrics
from machinery.model.k8s.autoscaling_v2 import (
    ContainerResourceMetricStatus,
    ExternalMetricStatus,
    MetricIdentifier,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricStatus,
    PodsMetricStatus,
    ResourceMetricStatus,
)
from machinery.model.quantity import format_amount
from machinery.model.resources import Resource

UNKNOWN: Final = MetricStatus(type="")
"""The status of a metric that is not known, as Kubernetes writes it."""


class NoTargetError(UnknownUsageError):
    """A metric of the spec does not say what it is to be."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many pods a metric asks for, its name in events, and its status."""

    replicas: int
    name: str
    status: MetricStatus


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a metric asks for nothing: the reason and message of its event, and of what is said of all metrics together."""

    reason: str
    message: str
    whole: str
    is_of_spec: bool = False  # the autoscaler's own spec is the cause


@dataclass(frozen=True, slots=True)
class Around:
    """What a metric is judged with."""

    namespace: str
    selector: str  # of the pods
    target: Target
    running: int  # pods, as the Scale says
    kinds: Mapping[tuple[str, str], Resource[Any]]
    facts: Facts


Outcome: TypeAlias = Proposal | Problem | Need


def judge(spec: MetricSpec, around: Around) -> Outcome:
    """Return what a metric asks for, or what has to be asked first."""
    judged = _JUDGED.get(spec.type)
    if judged is None:
        text = f'unknown metric source type "{spec.type}"'
        return Problem("InvalidMetricSourceType", text, text, is_of_spec=True)
    return judged(spec, around)


def _resource(spec: MetricSpec, around: Around) -> Outcome:
    source = spec.resource
    assert source is not None  # noqa: S101 - the apiserver demands it
    try:
        found = _measured(source.target, source.name, "", around)
    except UnknownUsageError as error:
        whole = f"failed to get {source.name} resource metric value: {error}"
        return Problem("FailedGetResourceMetric", str(error), whole, isinstance(error, NoTargetError))
    if not isinstance(found, Wanted):
        return found
    status = ResourceMetricStatus(name=source.name, current=_current(found))
    return Proposal(
        found.replicas, _resource_name(found, source.name, ""), MetricStatus(type=spec.type, resource=status)
    )


def _container_resource(spec: MetricSpec, around: Around) -> Outcome:
    source = spec.containerResource
    assert source is not None  # noqa: S101 - the apiserver demands it
    try:
        found = _measured(source.target, source.name, source.container, around)
    except UnknownUsageError as error:
        whole = f"failed to get {source.container} container metric value: {error}"
        return Problem(
            "FailedGetContainerResourceMetric", str(error), whole, isinstance(error, NoTargetError)
        )
    if not isinstance(found, Wanted):
        return found
    status = ContainerResourceMetricStatus(
        name=source.name, container=source.container, current=_current(found)
    )
    return Proposal(
        found.replicas,
        _resource_name(found, source.name, "container "),
        MetricStatus(type=spec.type, containerResource=status),
    )


def _resource_name(wanted: Wanted, name: str, of: str) -> str:
    if wanted.utilization is None:
        return f"{name} resource"
    return f"{name} {of}resource utilization (percentage of request)"


def _measured(target: MetricTarget, resource: str, container: str, around: Around) -> Wanted | Selected:
    """Return how many pods what they use asks for.

    Raises:
        UnknownUsageError: that is not known.
    """
    kind = "usage" if target.averageValue else "utilization"
    if not target.averageValue and target.averageUtilization is None:
        text = "neither an average utilization target nor an average value (usage) target was set"
        raise NoTargetError(f"invalid resource metric source: {text}")
    question = Selected(resource_metrics.PODS, around.namespace, around.selector)
    answer = around.facts.answers.get(question)
    if answer is None:
        return question
    try:
        usage = _usage(answer, resource, container)
        if target.averageValue:
            return by_value(around.target, usage, milli(target.averageValue), resource)
        assert target.averageUtilization is not None  # noqa: S101 - looked at above
        return by_utilization(around.target, usage, target.averageUtilization, resource, container)
    except UnknownUsageError as error:
        raise UnknownUsageError(f"failed to get {resource} {kind}: {error}") from error


def _usage(answer: Any, resource: str, container: str) -> Mapping[str, Any]:
    start = f"unable to get metrics for resource {resource}: "
    if isinstance(answer, Refusal):
        text = f"unable to fetch metrics from resource metrics API: {answer.message}"
        raise UnknownUsageError(start + text)
    try:
        return usage_of(answer, resource, container)
    except UnknownUsageError as error:
        raise UnknownUsageError(f"{start}{error}") from error


def _pods(spec: MetricSpec, around: Around) -> Outcome:
    source = spec.pods
    assert source is not None  # noqa: S101 - the apiserver demands it
    name = source.metric.name
    answer = custom.custom_questions(
        custom.of_pods(around.namespace, around.selector, source.metric), around.facts
    )
    if isinstance(answer, Part):
        return answer
    try:
        metrics = _named(lambda: custom.read_pods(answer), f"unable to get metric {name}: ")
        found = by_value(around.target, metrics, milli(source.target.averageValue or "0") or 1)
    except UnknownUsageError as error:
        return Problem("FailedGetPodsMetric", str(error), f"failed to get pods metric value: {error}")
    status = PodsMetricStatus(metric=_identified(source.metric), current=_current(found))
    return Proposal(found.replicas, f"pods metric {name}", MetricStatus(type=spec.type, pods=status))


def _object(spec: MetricSpec, around: Around) -> Outcome:
    source = spec.object
    assert source is not None  # noqa: S101 - the apiserver demands it
    name, described, target = source.metric.name, source.describedObject, source.target
    is_whole = target.type == "Value" and bool(target.value)
    if not is_whole and not (target.type == "AverageValue" and target.averageValue):
        text = "invalid object metric source: neither a value target nor an average value target was set"
        whole = f"failed to get object metric value: {text}"
        return Problem("FailedGetObjectMetric", text, whole, is_of_spec=True)
    end = f" on {described.kind} {around.namespace}/{described.name}"
    try:
        questions = custom.of_object(around.namespace, described, source.metric, around.kinds)
        answer = custom.custom_questions(questions, around.facts)
        if isinstance(answer, Part):
            return answer
        value = custom.read_object(answer)
    except UnknownUsageError as error:
        text = f"unable to get metric {name}: {error}{end}"
        whole = text if is_whole else f"failed to get {name} object metric: {text}"
        return Problem("FailedGetObjectMetric", text, f"failed to get object metric value: {whole}")
    try:
        found = _of_whole(target, around, value, is_whole=is_whole)
    except UnknownUsageError as error:
        return Problem("FailedGetObjectMetric", str(error), f"failed to get object metric value: {error}")
    status = ObjectMetricStatus(
        describedObject=described, metric=_identified(source.metric), current=_shown(found, is_whole=is_whole)
    )
    title = f"{described.kind} metric {name}" if is_whole else _external_name(source.metric)
    return Proposal(found.replicas, title, MetricStatus(type=spec.type, object=status))


def _external(spec: MetricSpec, around: Around) -> Outcome:
    source = spec.external
    assert source is not None  # noqa: S101 - the apiserver demands it
    metric, target = source.metric, source.target
    is_whole = not target.averageValue
    if is_whole and not target.value:
        text = "invalid external metric source: neither a value target nor an average value target was set"
        whole = f"failed to get {metric.name} external metric value: {text}"
        return Problem("FailedGetExternalMetric", text, whole, is_of_spec=True)
    question = custom.external(around.namespace, metric)
    answer = around.facts.answers.get(question)
    if answer is None:
        return question
    place = f"{around.namespace}/{metric.name}/{printed(metric.selector)}"
    try:
        value = _named(lambda: custom.read_external(answer), f"unable to get external metric {place}: ")
        found = _of_whole(target, around, value, is_whole=is_whole)
    except UnknownUsageError as error:
        named = f"external metric {metric.name}" if is_whole else f"{metric.name} external metric"
        whole = f"failed to get {metric.name} external metric value: failed to get {named}: {error}"
        return Problem("FailedGetExternalMetric", str(error), whole)
    status = ExternalMetricStatus(metric=_identified(metric), current=_shown(found, is_whole=is_whole))
    return Proposal(found.replicas, _external_name(metric), MetricStatus(type=spec.type, external=status))


def _of_whole(target: MetricTarget, around: Around, value: int, *, is_whole: bool) -> Wanted:
    if is_whole:
        return by_whole_value(around.target, value, milli(target.value or "0") or 1)
    wanted = milli(target.averageValue or "0") or 1
    return by_share_of_value(around.running, value, wanted, around.target.tolerance)


def _named(read: Callable[[], Any], start: str) -> Any:
    try:
        return read()
    except UnknownUsageError as error:
        raise UnknownUsageError(f"{start}{error}") from error


def _external_name(metric: MetricIdentifier) -> str:
    return f"external metric {metric.name}({printed(metric.selector)})"


def _identified(metric: MetricIdentifier) -> MetricIdentifier:
    return MetricIdentifier(name=metric.name, selector=metric.selector)


def _current(wanted: Wanted) -> MetricValueStatus:
    return MetricValueStatus(averageUtilization=wanted.utilization, averageValue=_amount(wanted.value))


def _shown(wanted: Wanted, *, is_whole: bool) -> MetricValueStatus:
    amount = _amount(wanted.value)
    return MetricValueStatus(value=amount) if is_whole else MetricValueStatus(averageValue=amount)


def _amount(thousandths: int) -> str:
    return format_amount(Fraction(thousandths, 1000))


_JUDGED: Final[Mapping[str, Callable[[MetricSpec, Around], Outcome]]] = {
    "Resource": _resource,
    "ContainerResource": _container_resource,
    "Pods": _pods,
    "Object": _object,
    "External": _external,
}


@dataclass(frozen=True, slots=True)
class Computed:
    """What all metrics ask for together."""

    replicas: int | None  # None: nothing can be said, or not safely
    name: str  # of the metric that asks for most
    statuses: tuple[MetricStatus, ...]
    problems: tuple[Problem, ...]
    outcomes: tuple[Proposal | Problem, ...]  # of each metric

    @property
    def error(self) -> str:
        """What is said of the problems together; there is one."""
        count = f"{len(self.problems)} invalid out of {len(self.statuses)}"
        return f"invalid metrics ({count}), first error is: {self.problems[0].whole}"


def compute(specs: Sequence[MetricSpec], around: Around) -> Computed | tuple[Need, ...]:
    """Return what the metrics ask for, or all that has to be asked first.

    The largest number counts. Where a metric is not known, the others may let it grow, and not shrink.
    """
    outcomes = [judge(spec, around) for spec in specs]
    needs = tuple(dict.fromkeys(each for each in outcomes if not isinstance(each, Proposal | Problem)))
    if needs:
        return needs
    known = [each for each in outcomes if isinstance(each, Proposal | Problem)]
    proposals = [each for each in known if isinstance(each, Proposal)]
    problems = tuple(each for each in known if isinstance(each, Problem))
    statuses = tuple(each.status if isinstance(each, Proposal) else UNKNOWN for each in known)
    most = max(proposals, key=lambda each: each.replicas, default=None)
    if most is None or (problems and most.replicas < around.target.current):
        return Computed(None, "", statuses, problems, tuple(known))
    return Computed(most.replicas, most.name, statuses, problems, tuple(known))
