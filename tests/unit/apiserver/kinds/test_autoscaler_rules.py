"""HorizontalPodAutoscalers: defaults, metrics, behavior, and how they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import (
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
