"""Who passes the gate: masters in any case, others by what their roles say."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any, cast

import pytest

from apiserver.core.authz.attributes import MASTERS, Attributes
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import KINDS
from apiserver.gate import Gate
from apiserver.request import Request, UserInfo
from machinery.model.errors import Forbidden

ROLE = {
    "metadata": {"name": "reader", "namespace": "team"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
}
BINDING = {
    "metadata": {"name": "reads", "namespace": "team"},
    "roleRef": {"kind": "Role", "name": "reader"},
    "subjects": [{"kind": "User", "name": "jane"}],
}


class _Rbac:
    """The roles of one moment."""

    def index(self) -> RbacIndex:
        return RbacIndex(roles=[ROLE], role_bindings=[BINDING])


@pytest.fixture
def gate() -> Gate:
    return Gate(Catalogue(KINDS.values()), cast("Any", _Rbac()), cast("Any", None))


def _asks(user: UserInfo, verb: str, namespace: str) -> Request:
    kind = KINDS["", "configmaps"]
    return Request(
        user=user, verb=verb, group="", version="v1", resource=kind.plural, namespace=namespace, name="a"
    )


async def test_a_role_opens_what_it_says_and_nothing_else(gate: Gate) -> None:
    """Another verb, another namespace, another user: refused."""
    jane, joe = UserInfo("jane"), UserInfo("joe")
    await gate.admit(_asks(jane, "get", "team"))
    for user, verb, namespace in ((jane, "delete", "team"), (jane, "get", "other"), (joe, "get", "team")):
        with pytest.raises(Forbidden, match=f'User "{user.name}" cannot {verb} resource "configmaps"'):
            await gate.admit(_asks(user, verb, namespace))


async def test_masters_pass_without_a_role(gate: Gate) -> None:
    """That is how roles come to be at first."""
    await gate.admit(_asks(UserInfo("root", groups=(MASTERS,)), "delete", "other"))


class _Granting:
    """Somebody may write ClusterRoles, and may or may not do everything."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self._role = {"metadata": {"name": "granter"}, "rules": list(rules)}

    def index(self) -> RbacIndex:
        binding = {
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "granter"},
            "subjects": [{"kind": "User", "name": "jane"}],
        }
        return RbacIndex(cluster_roles=[self._role], cluster_role_bindings=[binding])


_MUCH = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "create", "update"]}
_ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_ESCALATE = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["escalate"]}
_GATHERS = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}


@pytest.mark.parametrize(
    ("rules", "new", "old", "refused"),
    [
        ((_MUCH,), _GATHERS, None, True),
        ((_MUCH,), None, None, False),
        ((_MUCH,), None, _GATHERS, True),
        ((_ALL,), _GATHERS, None, False),
        ((_ESCALATE,), _GATHERS, None, False),
    ],
)
async def test_only_who_may_do_everything_gathers_rules(
    rules: tuple[dict[str, Any], ...], new: Any, old: Any, refused: bool
) -> None:
    """Since nobody knows what comes to be gathered; also who takes the rule away, or has the verb escalate."""
    kind = KINDS["rbac.authorization.k8s.io", "clusterroles"]
    gate = Gate(Catalogue(KINDS.values()), cast("Any", _Granting(*rules)), cast("Any", None))
    role = {"metadata": {"name": "r"}, "rules": []}
    written = role | ({"aggregationRule": new} if new else {})
    stored = None if old is None else role | {"aggregationRule": old, "metadata": {"name": "r", "labels": {}}}
    text = "must have cluster-admin privileges to use the aggregationRule$"
    with pytest.raises(Forbidden, match=text) if refused else nullcontext():
        await gate.admit_grant(UserInfo("jane"), kind, written, stored)


def _rules(*rules: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [{"verbs": [verb], "apiGroups": [group], "resources": [of]} for verb, group, of in rules]


_AUTHN = "authentication.k8s.io"
_LISTS = ("impersonate-on:user-info:list", "", "pods")


@pytest.mark.parametrize(
    ("rules", "refusal"),
    [
        ([("impersonate", "", "users")], ""),
        ([_LISTS, ("impersonate:user-info", _AUTHN, "users")], ""),
        ([], 'cannot impersonate resource "users" in API group ""'),
        ([_LISTS], 'cannot impersonate:user-info resource "users" in API group "authentication.k8s.io"'),
        (
            [("impersonate-on:user-info:get", "", "pods"), ("impersonate:user-info", _AUTHN, "users")],
            'cannot impersonate resource "users"',
        ),
        ([_LISTS, ("impersonate", "", "users")], ""),
    ],
)
async def test_somebody_else_is_who_all_of_one_way_is_allowed_for(
    rules: list[tuple[str, str, str]], refusal: str
) -> None:
    """A refusal is of the way of which a part is allowed, or of the oldest."""
    gate = Gate(Catalogue(KINDS.values()), cast("Any", _Granting(*_rules(*rules))), cast("Any", None))
    asked = Attributes(verb="list", resource="pods", namespace="team")
    jane, wanted = UserInfo("jane"), [("Impersonate-User", "joe")]
    if not refusal:
        found = await gate.impersonated(jane, wanted, lambda: asked)
        assert found == UserInfo("joe", groups=("system:authenticated",))
        return
    with pytest.raises(Forbidden, match=re.escape(refusal)):
        await gate.impersonated(jane, wanted, lambda: asked)
