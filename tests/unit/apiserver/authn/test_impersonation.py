"""Acting as somebody else."""

from __future__ import annotations

import pytest

from apiserver.core.authn_impersonation import BadImpersonation, impersonation_of


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
    assert [(a.group, a.combined, a.name) for a in wanted.needs()] == [
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
    assert [(a.resource, a.namespace, a.name) for a in wanted.needs()] == [("serviceaccounts", "x", "robot")]
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
