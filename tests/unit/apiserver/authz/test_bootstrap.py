"""The roles that a cluster has from the beginning."""

from __future__ import annotations

import pytest

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.bootstrap_rbac import BOOTSTRAP_OBJECTS
from apiserver.core.kinds import KINDS
from apiserver.request import UserInfo

INDEX = RbacIndex(
    cluster_roles=[obj for obj in BOOTSTRAP_OBJECTS if obj["kind"] == "ClusterRole"],
    cluster_role_bindings=[obj for obj in BOOTSTRAP_OBJECTS if obj["kind"] == "ClusterRoleBinding"],
)
SCHEDULER = UserInfo("system:kube-scheduler", groups=("system:authenticated",))
CONTROLLERS = UserInfo("system:kube-controller-manager", groups=("system:authenticated",))
PROXY = UserInfo("system:kube-proxy", groups=("system:authenticated",))
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
        (PROXY, "watch", "", "pods", "", False),
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


def test_they_are_sorted_and_marked():
    """The apiserver finds them again, and keeps them up to date."""
    names = [(obj["metadata"]["name"], obj["kind"]) for obj in BOOTSTRAP_OBJECTS]
    assert names == sorted(names)
    assert all("kubernetes.io/bootstrapping" in obj["metadata"]["labels"] for obj in BOOTSTRAP_OBJECTS)


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
        for obj in BOOTSTRAP_OBJECTS
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
