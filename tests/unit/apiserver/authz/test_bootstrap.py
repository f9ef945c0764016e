"""The roles that a cluster has from the beginning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.bootstrap_rbac import NEEDED, others
from apiserver.core.kinds import KINDS
from apiserver.request import UserInfo
from machinery.model.k8s.served import REVIEWS

EVERY = (*NEEDED, *others())


def _index(objects: Iterable[Any]) -> RbacIndex:
    of_kind: dict[str, list[Any]] = {}
    for obj in objects:
        of_kind.setdefault(obj["kind"], []).append(obj)
    return RbacIndex(
        roles=of_kind.get("Role", ()),
        role_bindings=of_kind.get("RoleBinding", ()),
        cluster_roles=of_kind["ClusterRole"],
        cluster_role_bindings=of_kind["ClusterRoleBinding"],
    )


INDEX, WHOLE = _index(NEEDED), _index(EVERY)
SCHEDULER = UserInfo("system:kube-scheduler", groups=("system:authenticated",))
CONTROLLERS = UserInfo("system:kube-controller-manager", groups=("system:authenticated",))
PROXY = UserInfo("system:kube-proxy", groups=("system:authenticated",))
DNS = UserInfo("system:kube-dns", groups=("system:authenticated",))
NOBODY = UserInfo("system:anonymous", groups=("system:unauthenticated",))


@pytest.mark.parametrize(
    ("user", "verb", "group", "resource", "name", "allowed"),
    [
        (SCHEDULER, "create", "", "pods/binding", "p", True),
        (SCHEDULER, "patch", "", "pods/status", "p", True),
        (SCHEDULER, "get", "", "secrets", "s", False),
        (SCHEDULER, "update", "coordination.k8s.io", "leases", "kube-scheduler", True),
        (SCHEDULER, "update", "coordination.k8s.io", "leases", "kube-controller-manager", False),
        (SCHEDULER, "watch", "coordination.k8s.io", "leases", "kube-scheduler", True),
        (SCHEDULER, "watch", "coordination.k8s.io", "leases", "", False),
        (CONTROLLERS, "create", "", "pods", "", True),
        (CONTROLLERS, "watch", "rbac.authorization.k8s.io", "roles", "", True),
        (CONTROLLERS, "create", "rbac.authorization.k8s.io", "roles", "", False),
        (CONTROLLERS, "create", "", "pods/exec", "p", False),
        (PROXY, "watch", "discovery.k8s.io", "endpointslices", "", True),
        (PROXY, "watch", "", "pods", "", True),  # that policies concern
        (PROXY, "watch", "", "secrets", "", False),
        (DNS, "watch", "", "services", "", True),
        (DNS, "patch", "", "services", "kube-dns", True),
        (DNS, "patch", "", "services", "other", False),
        (DNS, "watch", "", "pods", "", False),
        (NOBODY, "list", "", "pods", "", False),
    ],
)
def test_a_component_may(user: UserInfo, verb: str, group: str, resource: str, name: str, allowed: bool):
    """Each component has what it needs, and nothing beside it."""
    plural, _, subresource = resource.partition("/")
    asked = Attributes(
        verb=verb, group=group, resource=plural, subresource=subresource, name=name, namespace="kube-system"
    )
    assert INDEX.authorize(user, asked).allowed is allowed


@pytest.mark.parametrize(
    ("path", "allowed"), [("/healthz", True), ("/version", True), ("/api", False), ("/metrics", False)]
)
def test_nobody_may_read_health_and_version_only(path: str, allowed: bool):
    """Who shows no identity sees that the server lives, and which version it is."""
    assert INDEX.authorize(NOBODY, Attributes(verb="get", path=path)).allowed is allowed


ACCOUNTS = "system:serviceaccount:kube-system:"


@pytest.mark.parametrize(
    ("controller", "verb", "group", "resource", "name", "allowed"),
    [
        ("job-controller", "create", "", "pods", "", True),
        ("job-controller", "update", "batch", "jobs/status", "j", True),
        ("job-controller", "create", "apps", "replicasets", "", False),
        ("node-controller", "delete", "", "pods", "p", True),
        ("generic-garbage-collector", "delete", "example.com", "things", "t", True),
        ("generic-garbage-collector", "deletecollection", "example.com", "things", "", False),
        ("horizontal-pod-autoscaler", "update", "apps", "deployments/scale", "d", True),
        (
            "clusterrole-aggregation-controller",
            "escalate",
            "rbac.authorization.k8s.io",
            "clusterroles",
            "r",
            True,
        ),
        (
            "certificate-controller",
            "sign",
            "certificates.k8s.io",
            "signers",
            "kubernetes.io/kubelet-serving",
            True,
        ),
        ("certificate-controller", "sign", "certificates.k8s.io", "signers", "example.com/own", False),
        ("token-cleaner", "delete", "", "secrets", "bootstrap-token-abcdef", True),
        ("bootstrap-signer", "update", "", "secrets", "s", False),
    ],
)
def test_a_controller_with_an_account_of_its_own_may(
    controller: str, verb: str, group: str, resource: str, name: str, allowed: bool
) -> None:
    """What the controller of this name does in a real cluster, as the account of its name in kube-system; no more."""
    plural, _, subresource = resource.partition("/")
    asked = Attributes(
        verb=verb, group=group, resource=plural, subresource=subresource, name=name, namespace="kube-system"
    )
    user = UserInfo(f"{ACCOUNTS}{controller}", groups=("system:serviceaccounts", "system:authenticated"))
    assert WHOLE.authorize(user, asked).allowed is allowed


def test_they_are_marked_and_each_is_there_once() -> None:
    """The apiserver finds them again, and keeps them up to date; a real v1.36 with metrics-server has as many, except for ours."""
    places = [(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in EVERY]
    assert len(set(places)) == len(places)
    assert all(obj["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults" for obj in EVERY)
    kubernetes = [kind for kind, _, name in places if not name.startswith("kubarium:")]
    counts = {kind: kubernetes.count(kind) for kind in set(kubernetes)}
    assert counts == {"ClusterRole": 70, "ClusterRoleBinding": 50, "Role": 7, "RoleBinding": 7}


def test_every_binding_is_to_a_role_that_is_there() -> None:
    """Of its own namespace, or of the cluster."""
    roles = {(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in EVERY}
    for obj in EVERY:
        if "roleRef" in obj:
            ref = obj["roleRef"]
            assert (ref["kind"], obj["metadata"].get("namespace"), ref["name"]) in roles


def test_the_rules_name_what_is_served() -> None:
    """A resource that is misspelt would be allowed to nobody; some are of APIs that others serve, or of none any more."""
    elsewhere = {"custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io", "extensions"}
    permissions = {"signers"}  # stand in rules only
    served = {(kind.group, kind.plural) for kind in (*KINDS.values(), *REVIEWS)} | {
        ("", "bindings"),
        ("events.k8s.io", "events"),
    }
    named = {
        (group, resource.partition("/")[0])
        for obj in EVERY
        for rule in obj.get("rules", ())
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
    }
    unknown = {each for each in named - served if each[0] not in elsewhere and "*" not in each}
    assert {plural for _, plural in unknown} <= permissions


@pytest.mark.parametrize("role", ["view", "edit"])
def test_who_views_or_edits_a_namespace_may_read_every_kind_of_it(role: str) -> None:
    """Except for what gives permissions away or holds secrets, what is the cluster's own, and what only nodes are told."""
    beside = {
        "controllerrevisions",
        "csistoragecapacities",
        "leases",
        "podtemplates",
        "rolebindings",
        "roles",
        "secrets",
    }
    granted = {
        (group, resource)
        for obj in NEEDED
        if obj["metadata"]["name"] == f"system:aggregate-to-{role}"
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    every = {
        (kind.group, kind.plural) for kind in KINDS.values() if kind.namespaced and kind.plural not in beside
    }
    if role == "view":
        assert every <= granted
        return
    kept = {
        "endpoints",
        "endpointslices",
        "limitranges",
        "resourcequotas",
    }  # which controllers and admins write
    assert {(group, plural) for group, plural in every if plural not in kept} <= granted
