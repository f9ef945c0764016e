"""Who passes the gate: masters in any case, others by what their roles say."""

from __future__ import annotations

from typing import Any, cast

import pytest

from apiserver.core.authz.attributes import MASTERS
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
