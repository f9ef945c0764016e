"""HorizontalPodAutoscalers: defaults, metrics, behavior, and how they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import (
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    with_status,
)

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
VALUE = {"type": "Value", "value": "5"}
AVERAGE = {"type": "AverageValue", "averageValue": "5"}
METRIC = "spec.metrics[0]"
TYPES = 'supported values: "ContainerResource", "External", "Object", "Pods", "Resource"'
POPULATE = "must populate information for the given metric source"
UP = "spec.behavior.scaleUp"
POLICY = {"type": "Pods", "value": 1, "periodSeconds": 15}


def scaler(**spec: Any) -> Json:
    own = {"scaleTargetRef": TARGET, "maxReplicas": 5, **spec}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": own,
    }


def by(*metrics: Json) -> Json:
    return scaler(metrics=list(metrics))


def source(type_: str, **fields: Any) -> Json:
    return {"type": type_, type_[0].lower() + type_[1:]: fields}


def resource(**target: Any) -> Json:
    return source("Resource", name="cpu", target={"type": "Utilization", **target})


def described(**fields: Any) -> Json:
    return source("Object", **{"describedObject": TARGET, "metric": {"name": "m"}, "target": VALUE, **fields})


def external(**target: Any) -> Json:
    return source("External", metric={"name": "m"}, target={"type": "Value", **target})


def upwards(**rules: Any) -> Json:
    return scaler(behavior={"scaleUp": {"policies": [POLICY], **rules}})


def test_an_autoscaler_gets_defaults() -> None:
    """It goes by the CPU, and how fast it goes is filled in where it says anything of it."""
    made = created(scaler())
    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["metrics"] == [CPU]
    assert "behavior" not in made["spec"]
    assert made["status"] == {"desiredReplicas": 0}
    behavior = created(scaler(behavior={"scaleUp": {"selectPolicy": "Min"}}))["spec"]["behavior"]
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert behavior == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Min",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent],
        },
        "scaleDown": {"selectPolicy": "Max", "policies": [percent]},
    }


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (scaler(minReplicas=0), ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1", "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas"]),
        (scaler(maxReplicas=0), ["spec.maxReplicas: Invalid value: 0: must be greater than 0", "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"]),
        (scaler(minReplicas=6), ["spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`"]),
        (scaler(scaleTargetRef={"kind": "", "name": ""}), ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"]),
        (scaler(scaleTargetRef={"kind": "..", "name": "a/b%"}), ["spec.scaleTargetRef.kind: Invalid value: \"..\": may not be '..'", "spec.scaleTargetRef.name: Invalid value: \"a/b%\": may not contain '/'", "spec.scaleTargetRef.name: Invalid value: \"a/b%\": may not contain '%'"]),
        (by({"type": ""}), [f"{METRIC}.type: Required value: must specify a metric source type", f'{METRIC}.type: Unsupported value: "": {TYPES}']),
        (by({"type": "Moon"}), [f'{METRIC}.type: Unsupported value: "Moon": {TYPES}']),
        (by({"type": "Pods"}), [f"{METRIC}.pods: Required value: {POPULATE}"]),
        (by({"type": "ContainerResource"}), [f"{METRIC}.containerResource: Required value: {POPULATE}"]),
        (by({**CPU, "pods": {"metric": {"name": "m"}, "target": AVERAGE}}), [f"{METRIC}.pods: Forbidden: must populate the given metric source only"]),
        (by(resource()), [f"{METRIC}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"]),
        (by(resource(averageUtilization=1, averageValue="1")), [f"{METRIC}.resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization"]),
        (by(resource(averageUtilization=0)), [f"{METRIC}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0"]),
        (by(resource(averageValue="0")), [f'{METRIC}.resource.target.averageValue: Invalid value: "0": must be positive']),
        (by(resource(type="", averageUtilization=1)), [f"{METRIC}.resource.target.type: Required value: must specify a metric target type", f'{METRIC}.resource.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue']),
        (by(source("Resource", name="", target=AVERAGE)), [f"{METRIC}.resource.name: Required value: must specify a resource name"]),
        (by(source("ContainerResource", name="cpu", container="", target=AVERAGE)), [f"{METRIC}.containerResource.container: Required value: must specify a container"]),
        (by(source("ContainerResource", name="bananas", container="m", target=AVERAGE)), [f'{METRIC}.containerResource.name: Invalid value: "bananas": must be a standard resource for containers']),
        (by(source("Pods", metric={"name": ""}, target=AVERAGE)), [f"{METRIC}.pods.metric.name: Required value: must specify a metric name"]),
        (by(source("Pods", metric={"name": "a/b"}, target=AVERAGE)), [f"{METRIC}.pods.metric.name: Invalid value: \"a/b\": may not contain '/'"]),
        (by(source("Pods", metric={"name": "m"}, target=VALUE)), [f"{METRIC}.pods.target.averageValue: Required value: must specify a positive target averageValue"]),
        (by(described(target={"type": "Value"})), [f"{METRIC}.object.target.averageValue: Required value: must set either a target value or averageValue"]),
        (by(described(describedObject={"kind": "A", "name": ""})), [f"{METRIC}.object.describedObject.name: Required value"]),
        (by(described(target={"type": "Value", "value": "-1"})), [f'{METRIC}.object.target.value: Invalid value: "-1": must be positive']),
        (by(external()), [f"{METRIC}.external.target.averageValue: Required value: must set either a target value for metric or a per-pod target"]),
        (by(external(value="1", averageValue="1")), [f"{METRIC}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target"]),
        (upwards(stabilizationWindowSeconds=-1), [f"{UP}.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero"]),
        (upwards(stabilizationWindowSeconds=3601), [f"{UP}.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600"]),
        (upwards(selectPolicy="Mean"), [f'{UP}.selectPolicy: Unsupported value: "Mean": supported values: "Disabled", "Max", "Min"']),
        (upwards(policies=[{**POLICY, "type": "Nodes"}]), [f'{UP}.policies[0].type: Unsupported value: "Nodes": supported values: "Percent", "Pods"']),
        (upwards(policies=[{**POLICY, "value": 0}]), [f"{UP}.policies[0].value: Invalid value: 0: must be greater than zero"]),
        (upwards(policies=[{**POLICY, "periodSeconds": 0}]), [f"{UP}.policies[0].periodSeconds: Invalid value: 0: must be greater than zero"]),
        (upwards(policies=[{**POLICY, "periodSeconds": 1801}]), [f"{UP}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800"]),
    ],
)  # fmt: skip
def test_an_autoscaler_is_refused_in_kubernetes_words(faulty: Json, said: list[str]) -> None:
    """Its bounds, each metric, and how fast it goes."""
    assert complaints(faulty) == said


def test_one_that_scales_to_nothing_may_go_on_doing_so() -> None:
    """It needs a metric that is there without pods."""
    stored = merged(created(by(described())), minReplicas=0)
    assert update_complaints(merged(stored, maxReplicas=9), stored) == []
    assert update_complaints(merged(stored, metrics=[CPU]), stored) == [
        "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas"
    ]


def test_a_status_counts_pods() -> None:
    """None below 0."""
    stored = created(scaler())
    assert status_complaints(stored, currentReplicas=-1, desiredReplicas=-1) == [
        "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0",
        "status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0",
    ]


def now(type_: str, **current: Any) -> Json:
    return source(type_, current=current)


@pytest.mark.parametrize(
    ("metrics", "current", "printed"),
    [
        ([CPU], [], "cpu: <unknown>/80%"),
        ([CPU], [now("Resource", averageUtilization=12)], "cpu: 12%/80%"),
        ([resource(averageValue="1")], [now("Resource", averageValue="500m")], "cpu: 500m/1"),
        ([source("ContainerResource", name="memory", container="m", target=AVERAGE)], [], "memory: <unknown>/5"),
        ([source("Pods", metric={"name": "m"}, target=AVERAGE)], [now("Pods", averageValue="3")], "3/5"),
        ([described()], [now("Object", value="4")], "4/5"),
        ([described(target=AVERAGE)], [now("Object", averageValue="4")], "4/5 (avg)"),
        ([external(averageValue="7")], [], "<unknown>/7 (avg)"),
        ([CPU, described(), described()], [], "cpu: <unknown>/80%, <unknown>/5 + 1 more..."),
    ],
)  # fmt: skip
def test_metrics_are_printed(metrics: list[Json], current: list[Json], printed: str) -> None:
    """What they are, of what they shall be; those behind the second are counted."""
    assert row({**created(by(*metrics)), "status": {"currentMetrics": current}})["Targets"] == printed


def test_an_autoscaler_is_printed() -> None:
    """With what it scales, and between which bounds."""
    seen = with_status(created(scaler(minReplicas=2)), currentReplicas=3, desiredReplicas=3)
    assert list(row(seen).values()) == ["web", "Deployment/web", "cpu: <unknown>/80%", "2", 5, 3, "60s"]
