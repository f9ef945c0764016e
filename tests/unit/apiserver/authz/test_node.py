"""A kubelet reads what its own pods need, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.authz import node
from apiserver.core.authz.attributes import Attributes, required_fields
from apiserver.request import UserInfo

POD = {
    "metadata": {"name": "web", "namespace": "x"},
    "spec": {
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"envFrom": [{"configMapRef": {"name": "defaults"}}]}],
        "containers": [
            {
                "env": [
                    {"valueFrom": {"secretKeyRef": {"name": "password", "key": "k"}}},
                    {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ]
            }
        ],
        "volumes": [
            {"secret": {"secretName": "certificate"}},
            {"configMap": {"name": "settings"}},
            {"projected": {"sources": [{"configMap": {"name": "root-ca"}}, {"secret": {"name": "extra"}}]}},
            {"emptyDir": {}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {}},
        ],
        "resourceClaims": [
            {"name": "shared", "resourceClaimName": "cards"},
            {"name": "own", "resourceClaimTemplateName": "card"},
            {"name": "none", "resourceClaimTemplateName": "card"},
        ],
    },
    "status": {
        "resourceClaimStatuses": [{"name": "own", "resourceClaimName": "web-own-x"}, {"name": "none"}]
    },
}
REFERENCES = frozenset(node.references_of(POD))


def asked(verb: str, resource: str, name: str = "", **fields: Any) -> Attributes:
    plural, _, subresource = resource.partition("/")
    namespace = fields.pop("namespace", "x")
    return Attributes(
        verb=verb, resource=plural, subresource=subresource, name=name, namespace=namespace, **fields
    )


def test_everything_that_a_pod_refers_to_is_found():
    """Secrets and ConfigMaps of every kind of reference, the account, and the pod itself."""
    assert {(resource, name) for resource, _, name in REFERENCES} == {
        ("pods", "web"),
        ("serviceaccounts", "robot"),
        *(("secrets", name) for name in ("registry", "password", "certificate", "extra")),
        *(("persistentvolumeclaims", name) for name in ("data", "web-scratch")),
        *(("resourceclaims", name) for name in ("cards", "web-own-x")),
        *(("configmaps", name) for name in ("defaults", "settings", "root-ca")),
    }


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        (asked("get", "secrets", "password"), True),
        (asked("watch", "secrets", "password"), True),
        (asked("list", "secrets"), False),
        (asked("get", "secrets", "other"), False),
        (asked("get", "secrets", "password", namespace="y"), False),
        (asked("update", "secrets", "password"), False),
        (asked("get", "configmaps", "settings"), True),
        (asked("create", "serviceaccounts/token", "robot"), True),
        (asked("create", "serviceaccounts/token", "admin"), False),
        (asked("get", "persistentvolumeclaims", "web-scratch"), True),
        (asked("get", "persistentvolumeclaims", "other"), False),
        (asked("watch", "persistentvolumeclaims", "data"), False),
        (asked("patch", "persistentvolumeclaims/status", "data"), True),
        (asked("get", "persistentvolumeclaims/status", "data"), False),
        (asked("get", "persistentvolumes", "pv", namespace=""), False),
        (asked("update", "csinodes", "node-1", group="storage.k8s.io", namespace=""), True),
        (asked("get", "csinodes", "node-2", group="storage.k8s.io", namespace=""), False),
        (asked("get", "resourceclaims", "web-own-x", group="resource.k8s.io"), True),
        (asked("get", "resourceclaims", "other", group="resource.k8s.io"), False),
        (asked("update", "resourceclaims", "cards", group="resource.k8s.io"), False),
        (asked("create", "resourceslices", group="resource.k8s.io", namespace=""), True),
        (asked("get", "resourceslices", "s", group="resource.k8s.io", namespace=""), False),
        (asked("list", "resourceslices", group="resource.k8s.io", namespace=""), False),
        (
            asked(
                "deletecollection",
                "resourceslices",
                group="resource.k8s.io",
                namespace="",
                fields={"spec.nodeName": "node-1"},
            ),
            True,
        ),
        (asked("get", "pods", "web"), True),
        (asked("get", "pods", "other"), False),
        (asked("list", "pods", fields={"spec.nodeName": "node-1"}), True),
        (asked("list", "pods", fields={"spec.nodeName": "node-2"}), False),
        (asked("watch", "pods"), False),
        (asked("patch", "pods/status", "web"), True),
        (asked("get", "pods/log", "web"), False),
        (asked("create", "events"), True),
        (asked("get", "nodes", "node-1", namespace=""), True),
        (asked("get", "nodes", "node-2", namespace=""), False),
        (asked("list", "nodes", namespace="", fields={"metadata.name": "node-1"}), True),
        (asked("list", "nodes", namespace=""), False),
        (asked("list", "services"), True),
        (asked("delete", "nodes", "node-1", namespace=""), False),
        (asked("update", "leases", "node-1", group="coordination.k8s.io", namespace="kube-node-lease"), True),
        (
            asked("update", "leases", "node-2", group="coordination.k8s.io", namespace="kube-node-lease"),
            False,
        ),
        (asked("update", "leases", "node-1", group="coordination.k8s.io"), False),
        (Attributes(verb="get", path="/metrics"), False),
    ],
)
def test_a_node_may(attributes: Attributes, allowed: bool):
    """The Node authorizer's table."""
    assert node.decide("node-1", attributes, REFERENCES).allowed is allowed


def test_only_a_kubelet_is_a_node():
    """Name and group have to fit."""
    assert node.node_of(UserInfo("system:node:node-1", groups=("system:nodes",))) == "node-1"
    assert node.node_of(UserInfo("system:node:node-1")) == ""
    assert node.node_of(UserInfo("alice", groups=("system:nodes",))) == ""


def test_a_field_selector_requires_what_it_says_is_equal():
    """An inequality requires nothing in particular."""
    assert required_fields("spec.nodeName=a,status.phase!=Failed,metadata.name==b") == {
        "spec.nodeName": "a",
        "metadata.name": "b",
    }
