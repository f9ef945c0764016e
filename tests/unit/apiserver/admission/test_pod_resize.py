"""What a node can never give is refused when a pod is resized, not when its kubelet looks at it.

https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.errors import Forbidden
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, running_registry

_AMOUNTS = {"cpu": "2", "memory": "1Gi", "pods": "10"}


def _node(labels: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n", "labels": labels},
        "status": {"capacity": {**_AMOUNTS, "cpu": "4"}, "allocatable": _AMOUNTS},
    }


def _pod(**spec: Any) -> Json:
    main = {
        "name": "main",
        "image": "x",
        "resources": {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": "8", "memory": "8Gi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [main], **spec},
    }


async def _resized(bench: RegistryBench, **amounts: str) -> Json:
    main = {"name": "main", "resources": {"requests": amounts}}
    return await bench.patch("pods/resize", "p", {"spec": {"containers": [main]}}, PatchType.STRATEGIC_MERGE)


@pytest.mark.parametrize(
    ("amounts", "short"),
    [
        ({"cpu": "2001m"}, "cpu, requested: 2001, allocatable: 2000"),
        ({"memory": "2Gi"}, "memory, requested: 2147483648, allocatable: 1073741824"),
        (
            {"cpu": "3", "memory": "2Gi"},
            "cpu, requested: 3000, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824",
        ),
    ],
)
async def test_a_resize_to_more_than_the_node_has(amounts: dict[str, str], short: str) -> None:
    """Allocatable counts, not the capacity; all that is too much is named."""
    async with running_registry() as bench:
        await bench.create("nodes", _node({"kubernetes.io/os": "linux"}))
        await bench.create("pods", _pod(nodeName="n"))
        with pytest.raises(Forbidden) as caught:
            await _resized(bench, **amounts)
        text = f'pods "p" is forbidden: Node didn\'t have enough allocatable resources: {short}'
        assert caught.value.message == text
        found = await bench.get("pods", "p")
        assert found["metadata"]["generation"] == 1


async def test_a_resize_that_waits_for_others_is_accepted() -> None:
    """All of the node is not too much: its kubelet decides when there is room."""
    async with running_registry() as bench:
        await bench.create("nodes", _node({"kubernetes.io/os": "linux"}))
        await bench.create("pods", {**_pod(nodeName="n"), "metadata": {"name": "other"}})
        await bench.create("pods", _pod(nodeName="n"))
        resized = await _resized(bench, cpu="2", memory="1Gi")
        assert resized["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "2", "memory": "1Gi"}


async def test_a_pod_without_a_node_may_ask_for_anything() -> None:
    """The scheduler finds a node that has it, or none."""
    async with running_registry() as bench:
        await bench.create("pods", _pod())
        resized = await _resized(bench, cpu="7")
        assert resized["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "7"


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (None, 'node "n" not found'),
        (
            _node({"kubernetes.io/os": "windows"}),
            'pod resize is only supported on linux nodes, node "n" is "windows"',
        ),
        (_node({}), 'pod resize is only supported on linux nodes, node "n" is ""'),
    ],
)
async def test_a_resize_on_a_node_that_cannot(node: Json | None, text: str) -> None:
    """A resize that changes nothing is no question for the node."""
    async with running_registry() as bench:
        if node is not None:
            await bench.create("nodes", node)
        await bench.create("pods", _pod(nodeName="n"))
        await _resized(bench, cpu="1")
        with pytest.raises(Forbidden) as caught:
            await _resized(bench, cpu="1500m")
        assert caught.value.message == f'pods "p" is forbidden: {text}'
