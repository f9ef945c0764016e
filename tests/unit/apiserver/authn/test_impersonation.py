"""Acting as somebody else."""

from __future__ import annotations

import pytest

from apiserver.core.authn_impersonation import BadImpersonation, Impersonation, Way, impersonation_of, ways
from apiserver.core.authz.attributes import Attributes
from apiserver.request import UserInfo

JOE = UserInfo("joe")
ASKED = Attributes(verb="list", resource="pods", namespace="apps")


def the_old_way(wanted: Impersonation) -> Way:
    """Return the last way: the verb impersonate, whatever is asked for."""
    *_, way = ways(wanted, JOE, ASKED)
    return way


def test_no_headers_mean_nobody_else():
    """A usual request stays as it is."""
    assert impersonation_of([("Accept", "*/*")]) is None


def test_everything_that_is_taken_on_has_to_be_allowed():
    """User, uid, each group and each extra value."""
    wanted = impersonation_of(
        [
            ("Impersonate-User", "jane"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Group", "devs"),
            ("Impersonate-Group", "ops"),
            ("Impersonate-Extra-Example.com%2fteam", "a"),
        ]
    )
    assert wanted is not None
    assert [(a.group, a.combined, a.name) for a in the_old_way(wanted).checks] == [
        ("", "users", "jane"),
        ("authentication.k8s.io", "uids", "7"),
        ("", "groups", "devs"),
        ("", "groups", "ops"),
        ("authentication.k8s.io", "userextras/example.com/team", "a"),
    ]
    assert wanted.all_groups == ("devs", "ops", "system:authenticated")


def test_a_service_account_brings_its_groups():
    """Its name says in which namespace it is."""
    wanted = impersonation_of([("Impersonate-User", "system:serviceaccount:x:robot")])
    assert wanted is not None
    assert [(a.resource, a.namespace, a.name) for a in the_old_way(wanted).checks] == [
        ("serviceaccounts", "x", "robot")
    ]
    assert wanted.all_groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:x",
        "system:authenticated",
    )


def test_the_anonymous_user_is_not_authenticated():
    """Nobody stays nobody."""
    wanted = impersonation_of([("Impersonate-User", "system:anonymous")])
    assert wanted is not None
    assert wanted.all_groups == ("system:unauthenticated",)


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-a"])
def test_a_group_without_a_user_makes_no_sense(header: str):
    """Kubernetes refuses it, too."""
    with pytest.raises(BadImpersonation):
        impersonation_of([(header, "x")])


AUTH = "authentication.k8s.io"
ON_NODE = UserInfo(
    "system:serviceaccount:kube-system:agent",
    extra={"authentication.kubernetes.io/node-name": ("node-1",)},
)


@pytest.mark.parametrize(
    ("requester", "wanted", "checks"),
    [
        (JOE, Impersonation("jane"), {"user-info": [("users", "", "jane")]}),
        (
            JOE,
            Impersonation("jane", "7", ("devs",), (("team", ("a",)),)),
            {
                "user-info": [
                    ("users", "", "jane"),
                    ("uids", "", "7"),
                    ("groups", "", "devs"),
                    ("userextras/team", "", "a"),
                ]
            },
        ),
        (
            JOE,
            Impersonation("system:serviceaccount:x:robot"),
            {"serviceaccount": [("serviceaccounts", "x", "robot")]},
        ),
        (JOE, Impersonation("system:serviceaccount:x:robot", groups=("devs",)), {}),
        (JOE, Impersonation("system:node:node-1"), {"arbitrary-node": [("nodes", "", "node-1")]}),
        (
            ON_NODE,
            Impersonation("system:node:node-1"),
            {"associated-node": [("nodes", "", "*")], "arbitrary-node": [("nodes", "", "node-1")]},
        ),
        (ON_NODE, Impersonation("system:node:node-2"), {"arbitrary-node": [("nodes", "", "node-2")]}),
        (JOE, Impersonation("system:node:node-1", "7"), {}),
    ],
)
def test_constrained_ways_ask_for_what_is_done_and_for_whom(
    requester: UserInfo, wanted: Impersonation, checks: dict[str, list[tuple[str, str, str]]]
):
    """First the verb under the other name, then each part of the name; all of one API group."""
    *found, old = ways(wanted, requester, ASKED)
    assert old.constraint == ""
    assert [way.constraint for way in found] == [f"impersonate:{mode}" for mode in checks]
    for way, (mode, wants) in zip(found, checks.items(), strict=True):
        first, *others = way.checks
        assert (first.verb, first.resource) == (f"impersonate-on:{mode}:list", "pods")
        assert {(one.verb, one.group) for one in others} == {(way.constraint, AUTH)}
        assert [(one.combined, one.namespace, one.name) for one in others] == wants


@pytest.mark.parametrize(
    "wanted",
    [
        Impersonation("jane", groups=("system:masters",)),
        Impersonation("jane", groups=("",)),
        Impersonation("jane", extra=(("", ("a",)),)),
        Impersonation("jane", extra=(("team", ("",)),)),
    ],
)
def test_no_constrained_way_leads_to_the_masters(wanted: Impersonation):
    """Nor to groups and extra fields that are empty; the old way does."""
    *constrained, old = ways(wanted, JOE, ASKED)
    assert all(way.refusal for way in constrained)
    assert not old.refusal


def test_a_node_has_the_nodes_group():
    """Where it is taken on in a constrained way."""
    way = next(iter(ways(Impersonation("system:node:node-1"), JOE, ASKED)))
    assert way.groups == ("system:nodes", "system:authenticated")
