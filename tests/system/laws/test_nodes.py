"""A node may touch what is its own, through either door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kubarium import Cluster
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.requests import PatchType
from tests.support.kubectl import Kubectl, eventually
from tests.support.laws import connections, meta, pod, refusals, typed

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


@pytest.fixture(scope="module")
def neighbour(lawful: Cluster) -> str:
    """Another node's Node, Lease, Secret and pod, made by the administrator."""
    kubectl = Kubectl(lawful.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0, what="a ServiceAccount")
    spec = pod("theirs", nodeName="node-x", volumes=[{"name": "s", "secret": {"secretName": "theirs"}}])
    lease = {"metadata": meta("node-x", "kube-node-lease"), "spec": {"holderIdentity": "node-x"}}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-x"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta("theirs"), "stringData": {"a": "b"}},
        {"apiVersion": "v1", "kind": "Pod", **spec},
    )
    namespaced = Kubectl(lawful.kubeconfig, "kube-node-lease")
    namespaced.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **lease})
    return "node-x"


_STATUS = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


_READY = {"subresource": "status", "kind": PatchType.STRATEGIC_MERGE}


THEFTS: dict[str, Callable[[Api], Awaitable[Any]]] = {
    "read a Secret": lambda api: api.get(kinds.SECRETS, "theirs", namespace="default"),
    "list all Secrets": lambda api: api.list(kinds.SECRETS),
    "write a Node": lambda api: api.patch(kinds.NODES, "node-x", {"metadata": {"labels": {"x": "y"}}}),
    "write a Node's status": lambda api: api.patch(kinds.NODES, "node-x", _STATUS, **_READY),
    "delete a Node": lambda api: api.delete(kinds.NODES, "node-x"),
    "renew a Lease": lambda api: api.patch(
        kinds.LEASES, "node-x", {"spec": {"leaseDurationSeconds": 99}}, namespace="kube-node-lease"
    ),
    "write a pod's status": lambda api: api.patch(
        kinds.PODS, "theirs", _STATUS, namespace="default", **_READY
    ),
    "delete a pod": lambda api: api.delete(kinds.PODS, "theirs", namespace="default"),
    "bind a pod": lambda api: api.create(kinds.PODS, typed(kinds.PODS, **pod("mine", nodeName="node-x"))),
    "make a user": lambda api: api.create(
        kinds.CLUSTER_ROLE_BINDINGS,
        typed(
            kinds.CLUSTER_ROLE_BINDINGS,
            metadata={"name": "mine"},
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            subjects=[
                {"kind": "User", "name": "system:node:node-1", "apiGroup": "rbac.authorization.k8s.io"}
            ],
        ),
    ),
}


@pytest.mark.parametrize("theft", THEFTS)
async def test_a_node_may_not_touch_what_is_anothers(lawful: Cluster, neighbour: str, theft: str):
    """With a kubelet's certificate, through both doors, with the same Status."""
    first, second = await refusals(lawful, "kubelet-node-1", THEFTS[theft])
    assert first == second
    assert (first["code"], first["reason"]) == (403, "Forbidden")


async def test_a_node_may_touch_what_is_its_own(lawful: Cluster):
    """So that the refusals mean something."""
    for api in connections(lawful, "kubelet-node-1"):
        node = await api.get(kinds.NODES, "node-1")
        await api.get(kinds.LEASES, "node-1", namespace="kube-node-lease")
        status = {"status": {"conditions": [{"type": "Test", "status": "True"}]}}
        await api.patch(kinds.NODES, node.metadata.name, status, **_READY)
        await api.aclose()
