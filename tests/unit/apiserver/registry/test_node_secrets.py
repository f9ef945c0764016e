"""The Secrets of CSI volumes: a node may read those that the volumes of its own pods name, and no other.

https://kubernetes.io/docs/reference/access-authn-authz/node/
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.request import UserInfo
from machinery.model.errors import Forbidden
from tests.support.apiserver import RegistryBench, pod

FIELDS = ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef")
OF_CONTROLLERS = ("controllerPublishSecretRef", "controllerExpandSecretRef")


def volume(name: str, claim: str, **secrets: str) -> dict[str, Any]:
    """Return a volume of a CSI driver that is bound to a claim, with Secrets of the namespace `drivers`."""
    refs = {field: {"name": secret, "namespace": "drivers"} for field, secret in secrets.items()}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "default", "name": claim},
        "csi": {"driver": "disks.example.com", "volumeHandle": name, **refs},
    }
    return {"metadata": {"name": name}, "spec": spec}


def using(claim: str, name: str = "web", node: str = "node-1") -> dict[str, Any]:
    """Return a pod on a node that uses a claim."""
    made = pod(name, node=node)
    made["spec"]["volumes"] = [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}]
    return made


async def may_get(bench: RegistryBench, secret: str, node: str = "node-1") -> bool:
    """Whether a node may get a Secret of the namespace `drivers`."""
    await bench.feed.fresh()
    groups = ("system:nodes", "system:authenticated")
    request = bench.request("get", "secrets", secret, "drivers")
    try:
        await bench.core.gate.admit(
            msgspec.structs.replace(request, user=UserInfo(f"system:node:{node}", groups=groups))
        )
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("field", FIELDS)
async def test_a_node_may_get_what_the_driver_of_its_pods_volume_is_given_there(
    bench: RegistryBench, field: str
) -> None:
    """Not before the pod is there, no other node, and not when the pod is gone."""
    await bench.create("persistentvolumes", volume("pv-1", "data", **{field: "key"}))
    assert not await may_get(bench, "key")
    await bench.create("pods", using("data"))
    assert await may_get(bench, "key")
    assert not await may_get(bench, "key", node="node-2")
    await bench.delete("pods", "web", grace_period_s=0)
    assert not await may_get(bench, "key")


@pytest.mark.parametrize("field", OF_CONTROLLERS)
async def test_what_is_for_controllers_is_not_for_nodes(bench: RegistryBench, field: str) -> None:
    """The node's part of a driver is not given those."""
    await bench.create("persistentvolumes", volume("pv-1", "data", **{field: "key"}))
    await bench.create("pods", using("data"))
    assert not await may_get(bench, "key")


async def test_the_secret_of_a_volume_of_others_is_not_for_a_node(bench: RegistryBench) -> None:
    """Another claim is another one, and so is one of the same name in another namespace."""
    elsewhere = volume("pv-2", "data", nodeStageSecretRef="key")
    elsewhere["spec"]["claimRef"]["namespace"] = "elsewhere"
    await bench.create("persistentvolumes", volume("pv-1", "other", nodeStageSecretRef="key"))
    await bench.create("persistentvolumes", elsewhere)
    await bench.create("pods", using("data"))
    assert not await may_get(bench, "key")


async def test_a_volume_that_is_gone_names_nothing(bench: RegistryBench) -> None:
    """A node keeps no permission by a pod that still names the claim."""
    await bench.create("persistentvolumes", volume("pv-1", "data", nodeStageSecretRef="key"))
    await bench.create("pods", using("data"))
    assert await may_get(bench, "key")
    await bench.patch("persistentvolumes", "pv-1", {"metadata": {"finalizers": None}})
    await bench.delete("persistentvolumes", "pv-1")
    assert not await may_get(bench, "key")
