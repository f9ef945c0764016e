"""HorizontalPodAutoscalers, as https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ has them."""

from __future__ import annotations

from typing import Any

import pytest

from controllers import horizontal_pod_autoscaler
from controllers.core.actions import Discovery, Failure, Part, Refusal, Selected
from controllers.core.controller import USUAL, Autoscaling
from controllers.core.printed_selectors import printed
from controllers.horizontal_pod_autoscaler.counts import COMPUTATIONS, RECONCILIATIONS
from controllers.horizontal_pod_autoscaler.custom_metrics import ExternalMetricValue, external
from controllers.horizontal_pod_autoscaler.limits import limited
from controllers.horizontal_pod_autoscaler.memory import Memory, Recommendation, Scaled
from controllers.horizontal_pod_autoscaler.pod_metrics import PodMetric, UnknownUsageError, usage_of
from controllers.horizontal_pod_autoscaler.replicas import (
    Target,
    Tolerance,
    by_share_of_value,
    by_utilization,
    by_value,
    by_whole_value,
)
from machinery.client.api import Discovered
from machinery.model.k8s.autoscaling_v2 import MetricIdentifier
from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.resource_metrics import PODS as POD_METRICS
from machinery.model.resources import PODS
from tests.support import builders
from tests.support.autoscaling import SCALE, Autoscaled, autoscaler, cpu_target, pod, used
from tests.support.autoscaling_load import load_comes_and_goes
from tests.support.controller_crashes import play
from tests.support.controllers import at, moment

FRESH = {"started": at(-60), "changed": at(-50)}
SIDECAR = {
    "initContainers": [{"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}]
}
WHOLE = {"resources": {"requests": {"cpu": "400m"}}}


def target(pods: list[Any], current: int | None = None, tolerance: Tolerance | None = None) -> Target:
    return Target(pods, len(pods) if current is None else current, tolerance or Tolerance(), moment())


def metric(value: int, at_s: float = 0) -> PodMetric:
    return PodMetric(value, at(at_s), 15.0)


@pytest.mark.parametrize(
    ("pods", "metrics", "percent", "expected"),
    [
        # desired = ceil(ready * ratio), utilization cut off
        ([pod("a"), pod("b"), pod("c")], [100, 100, 100], 50, (6, 100)),
        ([pod("a"), pod("b"), pod("c")], [30, 30, 30], 50, (2, 30)),
        ([pod("a"), pod("b")], [54, 55], 50, (2, 54)),  # within a tenth
        ([pod("a"), pod("b")], [56, 56], 50, (3, 56)),
        # a pod without a number: uses nothing where there are too few, all of it where there are too many
        ([pod("a"), pod("b"), pod("c")], [100, 100, None], 50, (4, 100)),
        ([pod("a"), pod("b"), pod("c")], [10, 10, None], 50, (3, 10)),  # 40 %: nothing turns below ceil(2.4)
        ([pod("a"), pod("b"), pod("c")], [60, 60, None], 50, (3, 60)),  # 40 %: the guess would turn it around
        ([pod("a"), pod("b"), pod("c"), pod("d")], [10, 10, 10, None], 200, (2, 10)),  # all of it is what it should be
        # pods that are not ready use nothing where there are too few
        ([pod("a"), pod("b"), pod("c", ready="False", **FRESH)], [90, 90, 99], 50, (4, 90)),
        ([pod("a"), pod("b"), pod("c", phase="Pending")], [20, 20, None], 50, (1, 20)),
        ([pod("a"), pod("b"), pod("c", ready=None)], [100, 100, 0], 50, (4, 100)),
        # measured before it has been ready for as long as a window
        ([pod("a"), pod("b", started=at(-60), changed=at(-10))], [100, 900], 50, (2, 100)),
        ([pod("a"), pod("b", started=at(-60), changed=at(-15))], [100, 100], 50, (4, 100)),
        # it has been ready, and is not any more: it counts; it has never been: it does not
        ([pod("a"), pod("b", ready="False", started=at(-900), changed=at(-100))], [100, 100], 50, (4, 100)),
        ([pod("a"), pod("b", ready="False", started=at(-900), changed=at(-880))], [100, 0], 50, (2, 100)),
        # what ends or has failed does not count at all
        ([pod("a"), pod("b", deletionTimestamp=at(0))], [100, 500], 50, (2, 100)),
        ([pod("a"), pod("b", phase="Failed")], [100, 500], 50, (2, 100)),
        # what is requested: sidecars too, or of the pod as a whole
        ([pod("a", spec=SIDECAR)], [1100], 50, (2, 100)),
        ([pod("a", spec=WHOLE)], [400], 50, (2, 100)),
    ],
)  # fmt: skip
def test_replicas_by_utilization(
    pods: list[Any], metrics: list[int | None], percent: int, expected: tuple[int, int]
):
    """Each rule of the documented algorithm."""
    known = {
        each.metadata.name: metric(value)
        for each, value in zip(pods, metrics, strict=True)
        if value is not None
    }
    found = by_utilization(target(pods), known, percent, "cpu", "")
    assert (found.replicas, found.utilization) == expected


@pytest.mark.parametrize(
    ("pods", "metrics", "message"),
    [
        ([], {}, "no pods returned by selector while calculating replica count"),
        (
            [pod("a", phase="Pending")],
            {},
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        ([pod("a", None)], {"a": metric(1)}, "missing request for cpu in container main of Pod a"),
        ([pod("a")], {"other": metric(1)}, "no metrics returned matched known pods"),
    ],
)
def test_what_cannot_be_computed_says_why(pods: list[Any], metrics: dict[str, PodMetric], message: str):
    """In Kubernetes' words."""
    with pytest.raises(UnknownUsageError) as caught:
        by_utilization(target(pods), metrics, 50, "cpu", "")
    assert str(caught.value) == message


def test_replicas_by_plain_values():
    """Readiness counts for CPU only; a pod without a number counts as it should be where there are too many."""
    pods = [pod("a"), pod("b"), pod("c", ready="False", **FRESH)]
    values = {"a": metric(20_000), "b": metric(20_000), "c": metric(20_000)}
    assert by_value(target(pods), values, 10_000).replicas == 6
    assert by_value(target(pods), values, 10_000, "cpu").replicas == 4
    del values["c"]
    assert by_value(target(pods), values, 40_000).replicas == 2
    exact = Tolerance(down=0.5, up=0.0)
    assert by_value(target(pods[:2], tolerance=exact), values, 19_000).replicas == 3
    assert by_value(target(pods[:2], tolerance=exact), values, 39_000).replicas == 2


@pytest.mark.parametrize(
    ("current", "value", "wanted", "expected"),
    [
        (3, 200, 100, 6),
        (3, 105, 100, 3),
        (3, 0, 100, 0),
        (0, 250, 100, 3),
        (0, 0, 100, 0),
        (3, 2**62, 1, 2**31 - 1),
    ],
)
def test_replicas_by_a_value_of_something_else(current: int, value: int, wanted: int, expected: int):
    """In proportion to the pods that are ready; from none on, as often as it is too large."""
    pods = [pod(str(number)) for number in range(current)]
    assert by_whole_value(target(pods), value, wanted).replicas == expected


@pytest.mark.parametrize(
    ("running", "value", "expected"),
    [(2, 500, (5, 250)), (2, 210, (2, 105)), (0, 250, (3, 250)), (0, 0, (0, 0))],
)
def test_replicas_by_shares(running: int, value: int, expected: tuple[int, int]):
    """Each pod takes 100 of it."""
    found = by_share_of_value(running, value, 100, Tolerance())
    assert (found.replicas, found.value) == expected


def test_a_container_alone():
    """Its usage, and what it requests; every pod has to have it."""
    assert usage_of([used("a", "50m")], "cpu", "main")["a"].value == 50
    with pytest.raises(UnknownUsageError, match="container other not present in metrics for pod default/a"):
        usage_of([used("a")], "cpu", "other")
    with pytest.raises(UnknownUsageError, match="container other not found in Pod a"):
        by_utilization(target([pod("a")]), {"a": metric(1)}, 50, "cpu", "other")


# --- limits


def behavior(up: dict[str, Any] | None = None, down: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"behavior": {name: rules for name, rules in (("scaleUp", up), ("scaleDown", down)) if rules}}


PODS_4 = {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}
TENTH = {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}], "stabilizationWindowSeconds": 0}
BOTH = {
    "policies": [*PODS_4["policies"], {"type": "Percent", "value": 10, "periodSeconds": 60}],
    "stabilizationWindowSeconds": 0,
}
NEVER = {"selectPolicy": "Disabled"}
SLOW_UP = {"stabilizationWindowSeconds": 120}


@pytest.mark.parametrize(
    ("spec", "current", "desired", "recommendations", "scaled", "expected"),
    [
        # without a behavior: twice as many, or 4, at most; no shrinking below what was asked for in 5 minutes
        ({}, 1, 9, [], [], (4, "ReadyForNewScale", "ScaleUpLimit")),
        ({}, 3, 9, [], [], (6, "ReadyForNewScale", "ScaleUpLimit")),
        ({}, 6, 99, [], [], (10, "ReadyForNewScale", "TooManyReplicas")),
        ({}, 3, 0, [], [], (1, "ReadyForNewScale", "TooFewReplicas")),
        ({}, 3, 1, [(3, 299)], [], (3, "ScaleDownStabilized", "DesiredWithinRange")),
        ({}, 3, 1, [(3, 301)], [], (1, "ReadyForNewScale", "DesiredWithinRange")),
        # the usual rules, as soon as there is a behavior
        (behavior(up={"selectPolicy": "Max"}), 1, 9, [], [], (5, "ReadyForNewScale", "ScaleUpLimit")),
        (behavior(up={"selectPolicy": "Max"}), 9, 99, [], [], (10, "ReadyForNewScale", "TooManyReplicas")),
        (behavior(up={"selectPolicy": "Max"}), 3, 1, [(2, 200)], [], (2, "ScaleDownStabilized", "DesiredWithinRange")),
        # policies: what was added in the period is taken off
        (behavior(up=PODS_4), 2, 9, [], [], (6, "ReadyForNewScale", "ScaleUpLimit")),
        (behavior(up=PODS_4), 5, 9, [], [(3, 30)], (6, "ReadyForNewScale", "ScaleUpLimit")),
        (behavior(up=PODS_4), 5, 9, [], [(3, 61)], (9, "ReadyForNewScale", "DesiredWithinRange")),
        (behavior(up=PODS_4), 6, 9, [], [(6, 30)], (6, "ReadyForNewScale", "ScaleUpLimit")),
        (behavior(up=NEVER), 2, 9, [], [], (2, "ReadyForNewScale", "ScaleUpLimit")),
        (behavior(down=NEVER), 8, 2, [], [], (8, "ReadyForNewScale", "ScaleDownLimit")),
        (behavior(down=TENTH), 10, 2, [], [], (9, "ReadyForNewScale", "ScaleDownLimit")),
        (behavior(down=BOTH), 10, 2, [], [], (6, "ReadyForNewScale", "ScaleDownLimit")),
        (behavior(down={**BOTH, "selectPolicy": "Min"}), 10, 2, [], [], (9, "ReadyForNewScale", "ScaleDownLimit")),
        (behavior(down=BOTH), 6, 2, [], [(-4, 30)], (6, "ReadyForNewScale", "ScaleDownLimit")),
        (behavior(down={**TENTH, "policies": []}), 3, 0, [], [], (1, "ReadyForNewScale", "TooFewReplicas")),
        # it grows only to what was asked for all the time
        (behavior(up=SLOW_UP), 3, 9, [(4, 100)], [], (4, "ScaleUpStabilized", "DesiredWithinRange")),
        (behavior(up=SLOW_UP), 3, 9, [(2, 100)], [], (3, "ScaleUpStabilized", "DesiredWithinRange")),
        (behavior(up=SLOW_UP), 3, 6, [(4, 121)], [], (6, "ReadyForNewScale", "DesiredWithinRange")),
    ],
)  # fmt: skip
def test_limits(
    spec: dict[str, Any],
    current: int,
    desired: int,
    recommendations: list[tuple[int, float]],
    scaled: list[tuple[int, float]],
    expected: tuple[int, str, str],
):
    """From 1 to 10 pods; what was recommended and done so many seconds ago."""
    now_s = 10_000.0
    memory = Memory(
        recommendations=tuple(Recommendation(count, now_s - ago) for count, ago in recommendations),
        scaled=tuple(Scaled(change, now_s - ago) for change, ago in scaled),
    )
    found = limited(autoscaler(**spec).spec, memory, current, desired, now_s, USUAL.stabilization_s)
    assert (found.replicas, found.stability[0], found.limit[0]) == expected


# --- whole turns


def test_it_follows_the_load_up_and_down():
    """300 millicores at 50 % of 100 are 6 pods; it waits five minutes before it has fewer."""
    world = Autoscaled(autoscaler(), load=300)
    assert world.sync() == 6
    assert world.events == [
        ("Normal", "SuccessfulRescale", "New size: 6; reason: cpu resource utilization (percentage of request) above target")
    ]  # fmt: skip
    assert world.condition("AbleToScale") == (
        "True",
        "SucceededRescale",
        "the HPA controller was able to update the target scale to 6",
    )
    assert world.condition("ScalingActive") == (
        "True",
        "ValidMetricFound",
        "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
    )
    assert (world.status.currentReplicas, world.status.desiredReplicas) == (3, 6)
    [shown] = world.status.currentMetrics
    assert shown.resource is not None
    assert (shown.resource.current.averageUtilization, shown.resource.current.averageValue) == (100, "100m")
    assert world.status.lastScaleTime == at(15)
    world.load = 30
    sizes = [world.sync() for _ in range(22)]
    assert sizes == [6] * 20 + [1, 1]
    assert world.condition("ScalingLimited") == (
        "False",
        "DesiredWithinRange",
        "the desired count is within the acceptable range",
    )


@pytest.mark.parametrize(
    ("changes", "turn", "metrics"),
    [
        ({"load": 600}, ("scale_up", "none"), [("scale_up", "none", "Resource")]),
        ({"load": 150}, ("none", "none"), [("none", "none", "Resource")]),
        ({"replicas": 99}, ("scale_down", "none"), []),
        ({"selector": ""}, ("none", "internal"), []),
        ({"spec": [{**cpu_target(50), "type": "Clouds"}]}, ("none", "spec"), [("none", "spec", "Clouds")]),
        (
            {"answers": {Selected(POD_METRICS, "default", "app=web"): Refusal("", "nobody serves them")}},
            ("none", "internal"),
            [("none", "internal", "Resource")],
        ),
    ],
)
def test_turns_are_counted_by_what_becomes_of_them(changes: dict[str, Any], turn: Any, metrics: list[Any]):
    """In all, and of each metric; a Scale that refuses to be changed is an internal error."""
    spec = changes.pop("spec", [cpu_target(50)])
    world = Autoscaled(autoscaler(metrics=spec), **changes)
    world.autoscaler = builders.changed(world.autoscaler, status__currentReplicas=3)
    first, *others = world.plan().syncs
    assert (first.total, first.values) == (RECONCILIATIONS, turn)
    assert first.on_failure == ("none", "internal" if turn[1] == "none" else turn[1])
    assert [(each.total, each.values) for each in others] == [(COMPUTATIONS, each) for each in metrics]


def test_a_turn_comes_every_15_seconds():
    """Not sooner, whatever wakes it, except for another spec; and nothing is written where nothing changes."""
    world = Autoscaled(autoscaler(), load=150)
    world.sync()
    assert world.writes == 1
    assert world.plan().requeue_after_s == 15
    world.passed_s += 10
    assert world.plan().actions == ()
    assert world.plan().requeue_after_s == 5
    world.sync(5)
    assert world.writes == 1
    world.autoscaler = autoscaler(maxReplicas=2)
    assert world.sync(1) == 2
    assert world.events[-1][2] == "New size: 2; reason: Current number of replicas above Spec.MaxReplicas"


@pytest.mark.parametrize(
    ("spec", "replicas", "size", "reason"),
    [
        ({}, 12, 10, "Current number of replicas above Spec.MaxReplicas"),
        ({"minReplicas": 5}, 2, 5, "Current number of replicas below Spec.MinReplicas"),
    ],
)
def test_bounds_come_before_metrics(spec: dict[str, Any], replicas: int, size: int, reason: str):
    """Nobody has to know any."""
    world = Autoscaled(autoscaler(**spec), replicas)
    world.answers[Selected(POD_METRICS, "default", "app=web")] = Refusal("", "nobody serves them")
    assert world.sync() == size
    assert world.events == [("Normal", "SuccessfulRescale", f"New size: {size}; reason: {reason}")]


def test_a_target_without_pods_is_left_alone():
    """Its owner has switched it off."""
    world = Autoscaled(autoscaler(), 0)
    assert world.sync() == 0
    assert world.condition("ScalingActive") == (
        "False",
        "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero",
    )


def test_a_target_that_is_not_there():
    """Or of which nobody has heard."""
    world = Autoscaled(autoscaler())
    text = 'deployments.apps "web" not found'
    world.answers[SCALE] = Refusal("NotFound", text, "web")
    world.sync()
    assert world.events == [("Warning", "FailedGetScale", text)]
    problem = "the HPA controller was unable to get the target's current scale: "
    assert world.condition("AbleToScale") == ("False", "FailedGetScale", problem + text)
    toy = {"apiVersion": "example.com/v1", "kind": "Toy", "name": "web"}
    world = Autoscaled(autoscaler(scaleTargetRef=toy))
    world.sync()
    assert world.events[0][2] == 'no matches for kind "Toy" in group "example.com"'


def test_custom_resources_are_scaled_by_their_scale():
    """Which resource that is, discovery says."""
    toy = {"apiVersion": "example.com/v1", "kind": "Toy", "name": "web"}
    world = Autoscaled(autoscaler(scaleTargetRef=toy), load=300)
    entries = [Discovered("toys/scale", "Toy"), Discovered("toys", "Toy", namespaced=True)]
    world.answers[Discovery("example.com", "v1")] = tuple(entries)
    part = Part("example.com", "v1", "toys", "default", "web", "scale")
    world.answers[part] = {"spec": {"replicas": 3}, "status": {"replicas": 3, "selector": "app=web"}}
    assert world.sync() == 6


def test_a_scaling_that_is_refused():
    """Is told, and not counted as one."""
    world = Autoscaled(autoscaler(), load=300)
    world.refusal = Failure("Conflict", "it has changed")
    assert world.sync() == 3
    assert world.events == [
        ("Warning", "FailedRescale", "New size: 6; reason: cpu resource utilization (percentage of request) above target; error: it has changed")
    ]  # fmt: skip
    assert world.condition("AbleToScale") == (
        "False",
        "FailedUpdateScale",
        "the HPA controller was unable to update the target scale: it has changed",
    )
    assert world.memory.scaled == ()
    assert world.sync() == 6


def test_selectors():
    """One is needed, it has to make sense, and nobody else scales the same pods."""
    world = Autoscaled(autoscaler(), selector="")
    world.sync()
    assert [each[1] for each in world.events] == ["SelectorRequired", "FailedComputeMetricsReplicas"]
    assert world.condition("ScalingActive") == (
        "False",
        "InvalidSelector",
        "the HPA target's scale is missing a selector",
    )
    world = Autoscaled(autoscaler(), selector="a b c")
    world.sync()
    assert world.events[0][1] == "InvalidSelector"
    world = Autoscaled(
        autoscaler(), load=300, others={("default", "other"): "app", ("default", "x"): "app=x"}
    )
    assert world.sync() == 3
    text = "pods by selector app=web are controlled by multiple HPAs: [{other default} {web default}]"
    assert world.events == [
        ("Warning", "AmbiguousSelector", text),
        ("Warning", "FailedComputeMetricsReplicas", text),
    ]
    assert world.condition("ScalingActive") == ("False", "AmbiguousSelector", text)
    assert world.memory.selector == "app=web"


IN_VAIN: dict[str, Any] = {
    "type": "Pods",
    "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}},
}


def test_metrics_that_are_not_known():
    """One of two that is not known keeps it from shrinking, not from growing; none known: nothing is done."""
    world = Autoscaled(autoscaler([cpu_target(50), IN_VAIN]), load=300)
    assert world.sync() == 6
    text = "unable to get metric hits: unable to fetch metrics from custom metrics API: the server could not find the requested resource"
    assert world.events[0] == ("Warning", "FailedGetPodsMetric", text)
    assert world.events[1][1] == "SuccessfulRescale"
    world.load, world.passed_s = 10, 1_000
    assert world.sync() == 6
    whole = f"invalid metrics (1 invalid out of 2), first error is: failed to get pods metric value: {text}"
    assert world.events[-1] == ("Warning", "FailedComputeMetricsReplicas", whole)
    assert world.condition("ScalingActive") == (
        "False",
        "FailedGetPodsMetric",
        f"the HPA was unable to compute the replica count: {text}",
    )
    world = Autoscaled(autoscaler())
    world.answers[Selected(POD_METRICS, "default", "app=web")] = ()
    world.sync()
    text = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    assert world.events[0] == ("Warning", "FailedGetResourceMetric", text)
    assert world.events[1][2] == (
        f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {text}"
    )
    assert [each.type for each in world.status.currentMetrics] == [""]


def target_of(type_: str, amount: str) -> dict[str, Any]:
    field = {"Value": "value", "AverageValue": "averageValue"}[type_]
    return {"type": type_, field: amount}


SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "front"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "name": "default"}
LABELLED = {"name": "hits", "selector": {"matchLabels": {"verb": "GET"}}}
LABELS = (("metricLabelSelector", "verb=GET"),)


@pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
@pytest.mark.parametrize(
    ("spec", "place", "items", "size", "name"),
    [
        (
            {"type": "Pods", "pods": {"metric": LABELLED, "target": target_of("AverageValue", "10")}},
            ("pods", "default", "*", "hits", (("labelSelector", "app=web"), *LABELS)),
            [{"describedObject": {"name": f"web-{number}"}, "value": "20"} for number in range(3)],
            6,
            "pods metric hits",
        ),
        (
            {"type": "Object", "object": {"describedObject": SERVICE, "metric": LABELLED, "target": target_of("Value", "10")}},
            ("services", "default", "front", "hits", LABELS),
            [{"describedObject": {"name": "front"}, "value": "20"}],
            6,
            "Service metric hits",
        ),
        (
            {"type": "Object", "object": {"describedObject": NAMESPACE, "metric": LABELLED, "target": target_of("AverageValue", "10")}},
            ("metrics", "default", "hits", "", LABELS),
            [{"describedObject": {"name": "default"}, "value": "45"}],
            5,
            "external metric hits(&LabelSelector{MatchLabels:map[string]string{verb: GET,},MatchExpressions:[]LabelSelectorRequirement{},})",
        ),
    ],
)  # fmt: skip
def test_custom_metrics(
    version: str, spec: dict[str, Any], place: tuple[Any, ...], items: list[Any], size: int, name: str
):
    """The newer version is asked first; where nobody serves it, the older one."""
    world = Autoscaled(autoscaler([spec]))
    world.answers[Part("custom.metrics.k8s.io", version, *place)] = {"items": items}
    assert world.sync() == size
    assert world.events == [("Normal", "SuccessfulRescale", f"New size: {size}; reason: {name} above target")]


@pytest.mark.parametrize(
    ("type_", "values", "size"), [("Value", ["12", "8"], 6), ("AverageValue", ["30", "12500m"], 5)]
)
def test_external_metrics(type_: str, values: list[str], size: int):
    """All of their values together."""
    source = {"metric": LABELLED, "target": target_of(type_, "10")}
    world = Autoscaled(autoscaler([{"type": "External", "external": source}]))
    identifier = MetricIdentifier(name="hits", selector=LabelSelector(matchLabels={"verb": "GET"}))
    world.answers[external("default", identifier)] = tuple(ExternalMetricValue(value=each) for each in values)
    assert world.sync() == size
    world.answers.clear()
    world.sync()
    place = "default/hits/&LabelSelector{MatchLabels:map[string]string{verb: GET,},MatchExpressions:[]LabelSelectorRequirement{},}"
    text = f"unable to get external metric {place}: unable to fetch metrics from external metrics API: the server could not find the requested resource"
    assert world.events[0] == ("Warning", "FailedGetExternalMetric", text)


def test_selectors_as_kubernetes_prints_them():
    """In the events of external metrics."""
    terms = [LabelSelectorRequirement(key="a", operator="In", values=["x", "y"])]
    assert printed(None) == "nil"
    assert printed(LabelSelector(matchExpressions=terms)) == (
        "&LabelSelector{MatchLabels:map[string]string{},"
        "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:a,Operator:In,Values:[x y],},},}"
    )


def test_its_own_tolerance():
    """Of each direction, as a quantity."""
    rules = behavior(up={"tolerance": "500m"})
    assert Autoscaled(autoscaler(**rules), load=220).sync() == 3
    assert Autoscaled(autoscaler(**rules), load=240).sync() == 5


def test_a_container_is_measured_alone():
    """By what it uses of its own request."""
    source = {"name": "cpu", "container": "main", "target": {"type": "Utilization", "averageUtilization": 50}}
    world = Autoscaled(autoscaler([{"type": "ContainerResource", "containerResource": source}]), load=300)
    assert world.sync() == 6
    assert "cpu container resource utilization (percentage of request) above target" in world.events[0][2]
    world.answers[Selected(PODS, "default", "app=web")] = ()
    world.sync()
    assert world.events[0][1] == "FailedGetContainerResourceMetric"


@pytest.mark.parametrize(
    ("usual", "load", "replicas"),
    [
        (USUAL, 60, 3),
        (Autoscaling(stabilization_s=0), 60, 2),
        (USUAL, 180, 4),
        (Autoscaling(tolerance=0.25), 180, 3),
    ],
)
def test_what_is_usual_can_be_said(usual: Autoscaling, load: float, replicas: int) -> None:
    """By the flags of the process: how long it does not shrink, how exact it is."""
    world = Autoscaled(autoscaler(metrics=[cpu_target(50)]), load=load, usual=usual)
    world.sync()
    world.sync()
    assert world.replicas == replicas


async def test_load_comes_and_goes():
    """A whole process, over the apiserver's own metrics."""
    played = await play(load_comes_and_goes, (horizontal_pod_autoscaler.build,))
    assert played.writes >= 4
