"""What one door refuses, the other refuses, with the same words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kubarium import Cluster
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.requests import PatchType, Selection
from tests.support.laws import meta, pod, refusals, typed

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


_POD = pod("bad")


BAD: dict[str, Callable[[Api], Awaitable[Any]]] = {
    "a name": lambda api: api.create(
        kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta("Not_A_Name"))
    ),
    "no name": lambda api: api.create(kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta(""))),
    "a namespace that is not there": lambda api: api.create(
        kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta("a", "nowhere"))
    ),
    "a name that is taken": lambda api: api.create(
        kinds.NAMESPACES, typed(kinds.NAMESPACES, metadata={"name": "default"})
    ),
    "no containers": lambda api: api.create(
        kinds.PODS, typed(kinds.PODS, metadata=meta("bad"), spec={"containers": []})
    ),
    "several faults": lambda api: api.create(
        kinds.PODS,
        typed(
            kinds.PODS,
            metadata=meta("bad", labels={"bad key!": "x" * 70}),
            spec={
                "restartPolicy": "Sometimes",
                "containers": [
                    {"name": "A", "ports": [{"containerPort": 99999}]},
                    {"name": "A", "image": "i", "resources": {"limits": {"memory": "lots"}}},
                ],
            },
        ),
    ),
    "a selector that misses its template": lambda api: api.create(
        kinds.DEPLOYMENTS,
        typed(
            kinds.DEPLOYMENTS,
            metadata=meta("bad"),
            spec={
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "c"}}, "spec": _POD["spec"]},
            },
        ),
    ),
    "a port": lambda api: api.create(
        kinds.SERVICES, typed(kinds.SERVICES, metadata=meta("bad"), spec={"ports": [{"port": 0}]})
    ),
    "a type": lambda api: api.patch(kinds.NODES, "node-1", {"spec": {"unschedulable": "perhaps"}}),
    "an unknown field": lambda api: api.patch(
        kinds.NODES, "node-1", {"spec": {"taints": [{"colour": "red"}]}}
    ),
    "a field that may not change": lambda api: api.patch(kinds.NODES, "node-1", {"metadata": {"uid": "x"}}),
    "an old revision": lambda api: api.patch(
        kinds.NODES, "node-1", {"metadata": {"resourceVersion": "1"}, "spec": {"unschedulable": True}}
    ),
    "a JSON patch whose test fails": lambda api: api.patch(
        kinds.NODES,
        "node-1",
        [{"op": "test", "path": "/metadata/name", "value": "x"}],
        kind=PatchType.JSON,
    ),
    "a selector": lambda api: api.list(kinds.PODS, Selection(label_selector="a in (")),
    "a field selector": lambda api: api.list(kinds.PODS, Selection(field_selector="spec.colour=red")),
    "a continue token": lambda api: api.list(kinds.PODS, continue_="nonsense"),
    "what is not there": lambda api: api.get(kinds.PODS, "nobody", namespace="default"),
}


@pytest.mark.parametrize("fault", BAD)
async def test_both_doors_refuse_alike(lawful: Cluster, fault: str):
    """What REST refuses gRPC refuses, with the same code, reason, message and causes."""
    first, second = await refusals(lawful, "admin", BAD[fault])
    assert first == second
    assert 400 <= first["code"] < 500
