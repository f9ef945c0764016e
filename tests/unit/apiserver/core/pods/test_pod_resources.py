"""What a pod asks for as a whole: defaults, rules, class, and what it counts for."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.pod_totals import declared
from tests.support.pod_specs import complaints, created, deployment, pod

BOTH = {"cpu": "500m", "memory": "64Mi"}


def made(whole: Json, *containers: Json, **fields: Any) -> Json:
    """Return a pod that was created with resources of its own, and with containers that have some."""
    return created(of(whole, *containers, **fields))


def of(whole: Json, *containers: Json, **fields: Any) -> Json:
    """Return what is sent."""
    one = pod(resources=whole, **fields)
    [container] = one["spec"]["containers"]
    one["spec"]["containers"] = [
        {**container, "name": f"c{index}", "resources": each} for index, each in enumerate(containers or [{}])
    ]
    return one


@pytest.mark.parametrize(
    ("whole", "containers", "expected"),
    [
        ({"limits": BOTH}, [], {"limits": BOTH, "requests": BOTH}),
        ({"limits": {"cpu": "1"}}, [{"requests": {"cpu": "200m"}}, {"requests": {"cpu": "300m", "memory": "8Mi"}}], {"limits": {"cpu": "1"}, "requests": {"cpu": "500m", "memory": "8Mi"}}),
        ({"requests": {"cpu": "3"}}, [{"limits": {"cpu": "1"}}, {"limits": {"cpu": "2", "memory": "8Mi"}}], {"limits": {"cpu": "3"}, "requests": {"cpu": "3"}}),
        ({"requests": {"cpu": "1"}}, [{"limits": {"cpu": "1"}}, {}], {"requests": {"cpu": "1"}}),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, [{"limits": {"hugepages-2Mi": "4Mi", "memory": "8Mi"}}], {"limits": {"cpu": "1", "hugepages-2Mi": "4Mi"}, "requests": {"cpu": "1", "hugepages-2Mi": "4Mi", "memory": "8Mi"}}),
        ({"requests": {"cpu": "1.5m"}}, [], {"requests": {"cpu": "2m"}}),
        ({}, [{"limits": BOTH}], {}),
    ],
)  # fmt: skip
def test_what_is_left_out_follows_from_the_rest(whole: Json, containers: list[Json], expected: Json) -> None:
    """Requests from the containers' or the limits; limits only where each container has one."""
    assert made(whole, *containers)["spec"]["resources"] == expected


def test_a_template_keeps_what_it_says() -> None:
    """Only pods get these defaults."""
    template = {"resources": {"limits": BOTH}}
    assert (
        created(deployment(template=template), "deployments", "apps")["spec"]["template"]["spec"]["resources"]
        == template["resources"]
    )


@pytest.mark.parametrize(
    ("whole", "container", "expected"),
    [
        ({"limits": {"example.com/gpu": "1"}}, {}, [
            'spec.resources.limits[example.com/gpu]: Unsupported value: "example.com/gpu": supported values: "cpu", "hugepages-", "memory"',
        ]),
        ({"requests": {"ephemeral-storage": "1Gi"}}, {}, [
            'spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"',
        ]),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}, {}, [
            'spec.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ]),
        ({"requests": {"cpu": "100m"}}, {"requests": {"cpu": "200m"}}, [
            'spec.resources.requests[cpu]: Invalid value: "100m": must be greater than or equal to aggregate container requests of 200m',
        ]),
        ({"limits": {"memory": "64Mi"}}, {"requests": {"memory": "1Mi"}, "limits": {"memory": "65Mi"}}, [
            'spec.resources.containers[0][memory].limits: Invalid value: "65Mi": must be less than or equal to pod limits of 64Mi',
        ]),
        ({"limits": {"cpu": "-1"}, "requests": {"cpu": "-1"}}, {}, [
            'spec.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
            'spec.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ]),
        ({"claims": [{"name": "a"}]}, {}, ["spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(whole: Json, container: Json, expected: list[str]) -> None:
    """In Kubernetes' words."""
    assert complaints(of(whole, container)) == expected


@pytest.mark.parametrize(
    ("whole", "container", "expected"),
    [
        ({"limits": BOTH}, {}, "Guaranteed"),
        ({"limits": BOTH, "requests": {"cpu": "100m"}}, {}, "Burstable"),
        ({"requests": {"cpu": "500m"}}, {"requests": BOTH, "limits": BOTH}, "Burstable"),
        ({}, {"limits": BOTH}, "Guaranteed"),
    ],
)
def test_the_class_is_the_whole_pods(whole: Json, container: Json, expected: str) -> None:
    """Where it says something of itself, its containers do not count."""
    assert made(whole, container)["status"]["qosClass"] == expected


def test_a_pod_counts_for_what_it_asks_for_as_a_whole() -> None:
    """Its containers count for what it says nothing of, such as devices."""
    container = {"requests": {"cpu": "100m", "example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}
    asked = declared(made({"requests": {"cpu": "2"}}, container), "requests")
    assert {name: str(amount) for name, amount in asked.items()} == {"cpu": "2", "example.com/gpu": "1"}
