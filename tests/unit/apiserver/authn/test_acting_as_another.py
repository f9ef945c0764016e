"""Who acts as somebody else may do what they may, at both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from apiserver.request import UserInfo
from tests.support.apiserver import ADMIN, running_registry
from tests.support.both_doors import Asked, BothDoors, both_doors, furnish

MAP = {"resource": "configmaps", "namespace": "default", "name": "map"}
OWNER = UserInfo("owner", groups=("system:authenticated",))


@pytest.fixture
async def doors() -> AsyncIterator[BothDoors]:
    """`owner` may do everything in one namespace, `reader` may get one object there."""
    async with running_registry() as bench:
        await furnish(bench)
        async with both_doors(bench) as found:
            yield found


@pytest.mark.parametrize(
    ("user", "verb", "acting", "code"),
    [
        (ADMIN, "get", (("Impersonate-User", "reader"),), 200),
        (ADMIN, "delete", (("Impersonate-User", "reader"),), 403),
        (ADMIN, "delete", (("Impersonate-User", "owner"), ("Impersonate-Group", "devs")), 200),
        (ADMIN, "delete", (("Impersonate-User", "stranger"),), 403),
        (ADMIN, "get", (("Impersonate-Group", "system:masters"),), 400),
        (OWNER, "get", (("Impersonate-User", "reader"),), 403),
        (OWNER, "get", (("Impersonate-User", "system:serviceaccount:default:robot"),), 403),
        (OWNER, "get", (("Impersonate-User", "reader"), ("Impersonate-Extra-Team", "a")), 403),
    ],
)
async def test_both_doors_take_somebody_for_another(
    doors: BothDoors, user: UserInfo, verb: str, acting: tuple[tuple[str, str], ...], code: int
) -> None:
    """And refuse it with the same Status."""
    asked = Asked(user, verb, **MAP, acting=acting)
    rest, grpc = await doors.rest(asked), await doors.grpc(asked)
    assert (rest.code, rest.status) == (grpc.code, grpc.status)
    assert rest.code == code
