"""Who may do what by roles and bindings."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from apiserver.core.authz.attributes import Attributes, Decision
from apiserver.core.authz.messages import forbidden
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.authz.rules import rule_of
from apiserver.request import UserInfo

ALICE = UserInfo("alice", groups=("devs", "system:authenticated"))
ROBOT = UserInfo("system:serviceaccount:apps:robot", groups=("system:serviceaccounts",))


def rule(**fields: Any) -> dict[str, Any]:
    return {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], **fields}


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "rules": list(rules)}


def binding(
    role_name: str, subject: dict[str, Any], namespace: str = "", kind: str = "ClusterRole"
) -> dict[str, Any]:
    return {
        "metadata": {"name": "b", "namespace": namespace},
        "roleRef": {"kind": kind, "name": role_name},
        "subjects": [subject],
    }


def get(resource: str = "pods", **fields: Any) -> Attributes:
    return Attributes(verb="get", resource=resource, **{"namespace": "x", "name": "web", **fields})


@pytest.mark.parametrize(
    ("fields", "attributes", "allowed"),
    [
        ({}, get(), True),
        ({}, get(group="apps"), False),
        ({}, get(subresource="log"), False),
        ({"resources": ["pods/log"]}, get(subresource="log"), True),
        ({"resources": ["*/log"]}, get(subresource="log"), True),
        ({"resources": ["*/log"]}, get(), False),
        ({"resources": ["pods/*"]}, get(subresource="log"), False),  # "pods/*" means nothing in RBAC
        ({"resources": ["*"]}, get(subresource="log"), True),
        ({"apiGroups": ["*"]}, get(group="apps"), True),
        ({"verbs": ["*"]}, get(), True),
        ({"verbs": ["list"]}, get(), False),
        ({"resourceNames": ["web"]}, get(), True),
        ({"resourceNames": ["web"]}, get(name="other"), False),
        ({"resourceNames": ["web"]}, get(name=""), False),
        ({}, Attributes(verb="get", path="/healthz"), False),
    ],
)
def test_a_rule_matches(fields: dict[str, Any], attributes: Attributes, allowed: bool):
    """A rule matches by verb, group, resource with subresource, and name."""
    assert rule_of(rule(**fields)).matches(attributes) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/apis/*", "/apis/apps/v1", True),
        ("/apis/*", "/apis", False),
        ("*", "/x", True),
    ],
)
def test_a_rule_matches_urls(url: str, path: str, allowed: bool):
    """A URL is matched whole, or up to a star at its end."""
    found = rule_of({"verbs": ["get"], "nonResourceURLs": [url]})
    assert found.matches(Attributes(verb="get", path=path)) is allowed


def test_a_cluster_binding_holds_everywhere_and_a_binding_in_its_namespace():
    """A RoleBinding gives even a ClusterRole in its own namespace only."""
    everywhere = RbacIndex(
        cluster_roles=[role("reader", rule())],
        cluster_role_bindings=[binding("reader", {"kind": "User", "name": "alice"})],
    )
    within = RbacIndex(
        cluster_roles=[role("reader", rule())],
        role_bindings=[binding("reader", {"kind": "Group", "name": "devs"}, "x")],
    )
    assert everywhere.authorize(ALICE, get(namespace="y")).allowed
    assert within.authorize(ALICE, get()).allowed
    assert not within.authorize(ALICE, get(namespace="y")).allowed
    assert not within.authorize(ALICE, get(namespace="")).allowed


def test_a_service_account_is_bound_by_namespace_and_name():
    """The namespace of a subject defaults to that of its binding."""
    roles = [role("reader", rule(), namespace="apps")]
    own = binding("reader", {"kind": "ServiceAccount", "name": "robot"}, "apps", "Role")
    other = binding("reader", {"kind": "ServiceAccount", "name": "robot", "namespace": "x"}, "apps", "Role")
    assert RbacIndex(roles=roles, role_bindings=[own]).authorize(ROBOT, get(namespace="apps")).allowed
    assert not RbacIndex(roles=roles, role_bindings=[other]).authorize(ROBOT, get(namespace="apps")).allowed


def test_a_role_that_is_not_there_is_named():
    """A binding to nothing gives nothing, and the reason says so."""
    index = RbacIndex(cluster_role_bindings=[binding("gone", {"kind": "User", "name": "alice"})])
    decision = index.authorize(ALICE, get())
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    assert not decision.allowed


def test_the_sentence_of_a_403():
    """The message names who, what and where, as users of kubectl know it."""
    mallory = UserInfo("mallory")
    index = RbacIndex()
    asked = Attributes(verb="list", resource="pods", namespace="x")
    assert str(forbidden(mallory, asked, index.authorize(mallory, asked))) == (
        'pods is forbidden: User "mallory" cannot list resource "pods" in API group "" in the namespace "x"'
    )
    asked = Attributes(verb="get", group="apps", resource="deployments", subresource="scale", name="web")
    error = forbidden(mallory, asked, index.authorize(mallory, asked))
    assert str(error) == (
        'deployments.apps "web" is forbidden: User "mallory" cannot get resource "deployments/scale" '
        'in API group "apps" at the cluster scope'
    )
    assert (error.kind, error.group, error.name) == ("deployments", "apps", "web")


@pytest.mark.deep
def test_answers_that_are_kept_are_bounded() -> None:
    """By number; and what is long is not kept, whoever asks."""
    index = RbacIndex(cluster_roles=[role("r", rule())])
    before = decisions_alive()
    for number in range(100):
        index.authorize(ALICE, Attributes(verb="get", path=f"/{number}/{'x' * 600}"))
        index.authorize(ALICE, get(namespace=f"{number}-{'x' * 600}"))
    assert decisions_alive() == before
    for number in range(5_000):
        index.authorize(ALICE, get(namespace=f"x-{number}"))
    assert decisions_alive() - before <= 4_000


@pytest.mark.deep
def test_names_that_no_rule_names_share_their_answer() -> None:
    """Pods that come and go leave no answers behind; where a rule names one, that one is told from the others."""
    rules = [rule(resourceNames=["web", ""]), rule(resources=["secrets"])]
    alice = {"kind": "User", "name": "alice"}
    index = RbacIndex(cluster_roles=[role("r", *rules)], cluster_role_bindings=[binding("r", alice)])
    before = decisions_alive()
    for number in range(100):
        assert not index.authorize(ALICE, get(name=f"web-{number}")).allowed
        assert index.authorize(ALICE, get("secrets", name=f"web-{number}")).allowed
    assert decisions_alive() - before == 2
    assert index.authorize(ALICE, get(name="web")).allowed
    assert index.authorize(ALICE, get(name="")).allowed
    assert not index.authorize(ALICE, get(name="other")).allowed


def test_an_index_follows_changes_as_if_it_were_built_anew() -> None:
    """Of roles and bindings, in any order; of two that name the same, one that goes leaves the other in force."""
    alice, named = {"kind": "User", "name": "alice"}, rule(resourceNames=["web"])
    index = RbacIndex()
    index.set_binding(("x", "early"), binding("reader", alice, "x", "Role"))
    assert not index.authorize(ALICE, get()).allowed
    for name in ("reader", "other"):
        index.set_role(("x", name), role(name, named, namespace="x"))
    index.set_binding(("x", "late"), binding("other", alice, "x", "Role"))
    assert index.authorize(ALICE, get()).allowed
    assert not index.authorize(ALICE, get(name="odd")).allowed
    index.set_role(("x", "reader"), None)
    assert index.authorize(ALICE, get()).allowed
    assert not index.authorize(ALICE, get(name="odd")).allowed
    index.set_binding(("x", "late"), None)
    assert index.authorize(ALICE, get()).reason == 'RBAC: role.rbac.authorization.k8s.io "reader" not found'
    index.set_role(("x", "reader"), role("reader", rule(), namespace="x"))
    assert index.authorize(ALICE, get(name="odd")).allowed
    index.set_binding(("x", "early"), binding("reader", {"kind": "User", "name": "bob"}, "x", "Role"))
    assert not index.authorize(ALICE, get()).allowed
    index.set_binding(("x", "nobody"), None)
    assert not index.authorize(ALICE, get()).allowed


def decisions_alive() -> int:
    """Count the decisions that somebody holds."""
    gc.collect()
    return sum(isinstance(each, Decision) for each in gc.get_objects())


def test_a_yes_says_by_which_binding():
    """The one that holds everywhere first, with the first of its subjects that the user is."""
    role = {
        "metadata": {"name": "r"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
    }
    account = {"kind": "ServiceAccount", "name": "app"}
    subjects = [{"kind": "Group", "name": "other"}, account, {"kind": "Group", "name": "team"}]
    ref = {"kind": "ClusterRole", "name": "r"}
    local = {"metadata": {"name": "b", "namespace": "ns"}, "roleRef": ref, "subjects": subjects}
    user = UserInfo("system:serviceaccount:ns:app", groups=("team",))
    asked = Attributes(verb="get", resource="pods", namespace="ns")
    index = RbacIndex(cluster_roles=[role], role_bindings=[local])
    said = index.authorize(user, asked).reason
    assert said == 'RBAC: allowed by RoleBinding "b/ns" of ClusterRole "r" to ServiceAccount "app/ns"'
    everywhere = {"metadata": {"name": "c"}, "roleRef": ref, "subjects": [subjects[2]]}
    index = RbacIndex(cluster_roles=[role], role_bindings=[local], cluster_role_bindings=[everywhere])
    said = index.authorize(user, asked).reason
    assert said == 'RBAC: allowed by ClusterRoleBinding "c" of ClusterRole "r" to Group "team"'
