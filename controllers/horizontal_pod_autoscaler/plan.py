"""Plan for one HorizontalPodAutoscaler: every 15 seconds of the cluster, as a rule, it looks, and scales where that is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from controllers.core.actions import (
    NO_FACTS,
    Action,
    Attempt,
    Discovery,
    Facts,
    Failure,
    Plan,
    RecordEvent,
    Refusal,
    Remember,
    Selected,
    Sync,
    event,
)
from controllers.core.controller import USUAL, Autoscaling, Key
from controllers.core.keys import key_of
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.horizontal_pod_autoscaler import counts
from controllers.horizontal_pod_autoscaler.conditions import ABLE, ACTIVE, LIMITED, Conditions
from controllers.horizontal_pod_autoscaler.limits import least, limited, tolerance_of
from controllers.horizontal_pod_autoscaler.memory import Memory
from controllers.horizontal_pod_autoscaler.metrics import Around, Computed, Problem, Proposal, compute
from controllers.horizontal_pod_autoscaler.replicas import Target
from controllers.horizontal_pod_autoscaler.target import (
    AUTOSCALERS,
    Scale,
    find_resource,
    read_scale,
    scale_question,
)
from machinery.model.k8s.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerStatus,
    MetricStatus,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resources import PODS, Resource
from machinery.model.selector_text import parse_labels

Kinds: TypeAlias = Mapping[tuple[str, str], Resource[Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    autoscaler: HorizontalPodAutoscaler
    memory: Memory
    others: Mapping[Key, str]  # the pods that other autoscalers of the namespace scale, as selectors
    kinds: Kinds  # the cluster's own, by group and kind
    usual: Autoscaling = USUAL


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for an autoscaler, if it is its turn: it changed, or it was looked at long enough ago."""
    rest_s = _rest_s(seen, moment)
    if rest_s > 0:
        return Plan(requeue_after_s=rest_s)
    meta, reference = seen.autoscaler.metadata, seen.autoscaler.spec.scaleTargetRef
    resource = find_resource(reference, seen.kinds, facts)
    if isinstance(resource, Discovery):
        return Plan(needs=(resource,))
    turn = Turn(seen, moment)
    if isinstance(resource, Refusal):
        return turn.without_scale(resource.message)
    question = scale_question(resource, meta.namespace, reference.name)
    found = facts.answers.get(question)
    if found is None:
        return Plan(needs=(question,))
    if isinstance(found, Refusal):
        return turn.without_scale(found.message)
    return turn.with_scale(read_scale(resource, found), facts)


def _rest_s(seen: Seen, moment: Moment) -> float:
    memory = seen.memory
    if memory.synced_s is None or memory.spec != seen.autoscaler.spec:
        return 0.0
    return memory.synced_s + seen.usual.sync_s - moment.monotonic_s


@dataclass(slots=True)
class Decision:
    """What comes out of a turn: how many pods there are to be, why, and what is told."""

    desired: int
    reason: str = ""
    statuses: Sequence[MetricStatus] = ()
    events: list[RecordEvent] = field(default_factory=list)


class Turn:
    """One turn of an autoscaler."""

    def __init__(self, seen: Seen, moment: Moment) -> None:
        self._seen = seen
        self._moment = moment
        self._autoscaler = seen.autoscaler
        self._conditions = Conditions(seen.autoscaler.status.conditions, moment)
        self._memory = replace(seen.memory, synced_s=moment.monotonic_s, spec=seen.autoscaler.spec)
        self._change = (0, 0)  # how many pods there are, and are to be
        self._error = counts.NONE
        self._computations: tuple[Sync, ...] = ()

    def without_scale(self, problem: str) -> Plan:
        """Return what is done where the target has no Scale."""
        self._error = counts.INTERNAL
        text = f"the HPA controller was unable to get the target's current scale: {problem}"
        self._conditions.set(ABLE, "FailedGetScale", text, holds=False)
        status = _with_conditions(self._autoscaler, self._conditions)
        return self._done(self._warning("FailedGetScale", problem), *_written(self._autoscaler, status))

    def with_scale(self, scale: Scale, facts: Facts) -> Plan:
        """Return what is done to the Scale, or what has to be asked before that is known."""
        text = "the HPA controller was able to get the target's current scale"
        self._conditions.set(ABLE, "SucceededGetScale", text, holds=True)
        spec, current = self._autoscaler.spec, scale.wanted
        if not self._memory.recommendations:
            self._memory = self._memory.recommended(current, self._moment.monotonic_s)
        if not current and least(spec):
            text = "scaling is disabled since the replica count of the target is zero"
            self._conditions.set(ACTIVE, "ScalingDisabled", text, holds=False)
            return self._scaled(scale, Decision(current))
        if current > spec.maxReplicas:
            above = "Current number of replicas above Spec.MaxReplicas"
            return self._scaled(scale, Decision(spec.maxReplicas, above))
        if current < least(spec):
            return self._scaled(
                scale, Decision(least(spec), "Current number of replicas below Spec.MinReplicas")
            )
        return self._measured(scale, facts)

    def _measured(self, scale: Scale, facts: Facts) -> Plan:
        pods = Selected(PODS, self._autoscaler.metadata.namespace, scale.selector)
        if (problem := self._selector_problem(scale)) is not None:
            return self._uncomputed(scale, (), (problem,), "")
        found = facts.answers.get(pods)
        if isinstance(found, Refusal):
            return self._uncomputed(scale, (), (), found.message)
        if found is not None and (problem := self._overlap(scale, found)) is not None:
            return self._uncomputed(scale, (), (problem,), problem.message)
        usual = self._seen.usual
        tolerance = tolerance_of(self._autoscaler.spec, usual.tolerance)
        target = Target(found or (), scale.wanted, tolerance, self._moment, usual)
        around = Around(
            self._autoscaler.metadata.namespace,
            scale.selector,
            target,
            scale.running,
            self._seen.kinds,
            facts,
        )
        computed = compute(self._autoscaler.spec.metrics, around)
        missing = () if found is not None else (pods,)
        if not isinstance(computed, Computed):
            return Plan(needs=(*missing, *computed))
        return Plan(needs=missing) if missing else self._computed(scale, computed)

    def _selector_problem(self, scale: Scale) -> RecordEvent | None:
        """Return what is told of a Scale whose selector selects nothing in particular."""
        if not scale.selector:
            text = "the HPA target's scale is missing a selector"
            self._conditions.set(ACTIVE, "InvalidSelector", text, holds=False)
            return self._warning("SelectorRequired", "selector is required")
        try:
            parse_labels(scale.selector)
        except ValueError as error:
            text = f"couldn't convert selector into a corresponding internal selector object: {error}"
            self._conditions.set(ACTIVE, "InvalidSelector", text, holds=False)
            return self._warning("InvalidSelector", text)
        self._memory = replace(self._memory, selector=scale.selector)
        return None

    def _overlap(self, scale: Scale, pods: Sequence[Pod]) -> RecordEvent | None:
        """Return what is told where another autoscaler scales some of the pods, too."""
        meta = self._autoscaler.metadata
        among = [
            key
            for key, text in self._seen.others.items()
            if any(parse_labels(text).matches(pod.metadata.labels) for pod in pods)
        ]
        if not among:
            return None
        keys = sorted([*among, (meta.namespace, meta.name)])
        named = " ".join(f"{{{name} {namespace}}}" for namespace, name in keys)
        text = f"pods by selector {scale.selector} are controlled by multiple HPAs: [{named}]"
        self._conditions.set(ACTIVE, "AmbiguousSelector", text, holds=False)
        return self._warning("AmbiguousSelector", text)

    def _computed(self, scale: Scale, computed: Computed) -> Plan:
        self._note_computed(computed)
        events = tuple(self._warning(each.reason, each.message) for each in computed.problems)
        if computed.replicas is None:
            first = computed.problems[0]
            text = f"the HPA was unable to compute the replica count: {first.message}"
            self._conditions.set(ACTIVE, first.reason, text, holds=False)
            return self._uncomputed(scale, computed.statuses, events, computed.error)
        text = f"the HPA was able to successfully calculate a replica count from {computed.name}"
        self._conditions.set(ACTIVE, "ValidMetricFound", text, holds=True)
        current, wanted, now_s = scale.wanted, computed.replicas, self._moment.monotonic_s
        window_s = self._seen.usual.stabilization_s
        within = limited(self._autoscaler.spec, self._memory, current, wanted, now_s, window_s)
        self._memory = self._memory.recommended(wanted, now_s)
        self._conditions.set(ABLE, *within.stability, holds=True)
        self._conditions.set(LIMITED, *within.limit, holds=within.is_limited)
        reason = f"{computed.name} above target" if wanted > current else "All metrics below target"
        return self._scaled(scale, Decision(within.replicas, reason, computed.statuses, list(events)))

    def _note_computed(self, computed: Computed) -> None:
        """Note what is counted of each metric, and of the first that is not known."""
        if computed.problems:
            self._error = _error_of(computed.problems[0])
        current = self._autoscaler.status.currentReplicas or 0
        self._computations = tuple(
            counts.of_metric(spec.type, current, *_found(outcome))
            for spec, outcome in zip(self._autoscaler.spec.metrics, computed.outcomes, strict=True)
        )

    def _uncomputed(
        self, scale: Scale, statuses: Sequence[MetricStatus], events: tuple[RecordEvent, ...], error: str
    ) -> Plan:
        """Return what is done where nothing can be said: it stays as it is, and says why."""
        if self._error == counts.NONE:
            self._error = counts.INTERNAL
        status = self._status(scale.wanted, self._autoscaler.status.desiredReplicas, statuses)
        text = error or events[-1].message
        told = self._warning("FailedComputeMetricsReplicas", text)
        return self._done(*events, *_written(self._autoscaler, status), told)

    def _scaled(self, scale: Scale, decision: Decision) -> Plan:
        """Return what is done for a number of pods; nothing where there are as many."""
        current, desired = self._change = scale.wanted, decision.desired
        if desired == current:
            status = self._status(current, current, decision.statuses)
            return self._done(*decision.events, *_written(self._autoscaler, status))
        told = f"New size: {desired}; reason: {decision.reason}"

        def failed(failure: Failure) -> tuple[Action, ...]:
            text = f"the HPA controller was unable to update the target scale: {failure.message}"
            conditions = Conditions(self._conditions.all, self._moment)
            conditions.set(ABLE, "FailedUpdateScale", text, holds=False)
            status = self._status(
                current, self._autoscaler.status.desiredReplicas, decision.statuses, conditions=conditions
            )
            event_ = self._warning("FailedRescale", f"{told}; error: {failure.message}")
            return (event_, *_written(self._autoscaler, status))

        text = f"the HPA controller was able to update the target scale to {desired}"
        conditions = Conditions(self._conditions.all, self._moment)
        conditions.set(ABLE, "SucceededRescale", text, holds=True)
        status = self._status(current, desired, decision.statuses, conditions=conditions, is_scaled=True)
        then = (
            event(self._autoscaler, "Normal", "SuccessfulRescale", told),
            self._remembered(self._memory.scaled_by(desired - current, self._moment.monotonic_s)),
            *_written(self._autoscaler, status),
        )
        write = scale.patch(self._autoscaler.metadata.namespace, desired)
        return self._done(*decision.events, Attempt(write, then, failed))

    def _status(
        self,
        current: int,
        desired: int,
        statuses: Sequence[MetricStatus],
        *,
        conditions: Conditions | None = None,
        is_scaled: bool = False,
    ) -> HorizontalPodAutoscalerStatus:
        old = self._autoscaler.status
        return HorizontalPodAutoscalerStatus(
            currentReplicas=current,
            desiredReplicas=desired,
            lastScaleTime=self._moment.text if is_scaled else old.lastScaleTime,
            currentMetrics=list(statuses),
            conditions=(conditions or self._conditions).all,
        )

    def _warning(self, reason: str, message: str) -> RecordEvent:
        return event(self._autoscaler, "Warning", reason, message)

    def _done(self, *actions: Action) -> Plan:
        turn = counts.of_turn(*self._change, self._error)
        return Plan(
            (self._remembered(self._memory), *actions),
            requeue_after_s=self._seen.usual.sync_s,
            syncs=(turn, *self._computations),
        )

    def _remembered(self, memory: Memory) -> Remember:
        return Remember((key_of(self._autoscaler.metadata), memory))


def _found(outcome: Proposal | Problem) -> tuple[int, str]:
    return (outcome.replicas, counts.NONE) if isinstance(outcome, Proposal) else (0, _error_of(outcome))


def _error_of(problem: Problem) -> str:
    return counts.SPEC if problem.is_of_spec else counts.INTERNAL


def _with_conditions(
    autoscaler: HorizontalPodAutoscaler, conditions: Conditions
) -> HorizontalPodAutoscalerStatus:
    """Return the status of an autoscaler with other conditions."""
    old = autoscaler.status
    return HorizontalPodAutoscalerStatus(
        currentReplicas=old.currentReplicas,
        desiredReplicas=old.desiredReplicas,
        lastScaleTime=old.lastScaleTime,
        currentMetrics=old.currentMetrics,
        conditions=conditions.all,
    )


def _written(
    autoscaler: HorizontalPodAutoscaler, status: HorizontalPodAutoscalerStatus
) -> tuple[Action, ...]:
    return patch_status(AUTOSCALERS, autoscaler, status)
