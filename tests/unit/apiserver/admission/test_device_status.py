"""Who writes which part of a ResourceClaim's status.

https://kubernetes.io/docs/concepts/security/hardening-guide/dynamic-resource-allocation/
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.core.admission import DEFAULT_CHAIN, Attributes, Permission
from apiserver.core.values import Json
from apiserver.request import UserInfo
from machinery.model.errors import Invalid
from machinery.model.k8s import served
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, running_registry

GROUP = "resource.k8s.io"
NO_BINDING = (
    'Forbidden: changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="patch" '
    'permission: resourceclaims.resource.k8s.io is forbidden: User "jane" cannot patch resource "resourceclaims/binding" '
    'in API group "resource.k8s.io" at the cluster scope'
)
NO_DRIVER = (
    'Forbidden: changing status.devices requires resource="resourceclaims/driver", verb="[arbitrary-node:patch]" '
    'permission: resourceclaims.resource.k8s.io "cards.example.com" is forbidden: User "jane" cannot arbitrary-node:patch '
    'resource "resourceclaims/driver" in API group "resource.k8s.io" in the namespace "default"'
)
_ACCOUNT = "system:serviceaccount:drivers:cards"
_ON_NODE = UserInfo(_ACCOUNT, extra={"authentication.kubernetes.io/node-name": ("n",)})


def _allocation(node: str = "") -> Json:
    result = {"request": "card", "driver": "cards.example.com", "pool": "n", "device": "card-0"}
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    there = {"nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]}} if node else {}
    return {"devices": {"results": [result]}, **there}


def _device(name: str = "card-0", driver: str = "cards.example.com", **fields: Any) -> Json:
    return {"driver": driver, "pool": "n", "device": name, **fields}


def _demanded(user: UserInfo, new: Json, old: Json) -> list[tuple[Permission, ...]]:
    attributes = Attributes(
        user, "update", served.RESOURCE_CLAIMS, "status", namespace="default", name="claim"
    )
    before = {"metadata": {"name": "claim"}, "status": old}
    demands = DEFAULT_CHAIN.demands(attributes, {**before, "status": new}, before)
    return [demand.any_of for demand in demands]


def _driver(verb: str, name: str = "cards.example.com") -> Permission:
    return Permission(verb, GROUP, "resourceclaims", "driver", "default", name)


_BINDING = (Permission("update", GROUP, "resourceclaims", "binding"),)


@pytest.mark.parametrize(
    ("new", "old", "demanded"),
    [
        ({"allocation": _allocation()}, {}, [_BINDING]),
        ({}, {"reservedFor": [{"uid": "u"}]}, [_BINDING]),
        ({"reservedFor": []}, {}, []),
        ({"allocation": _allocation()}, {"allocation": _allocation()}, []),
        ({"devices": [_device()]}, {}, [(_driver("arbitrary-node:update"),)]),
        ({}, {"devices": [_device()]}, [(_driver("arbitrary-node:update"),)]),
        ({"devices": [_device(data={"a": 1})]}, {"devices": [_device()]}, [(_driver("arbitrary-node:update"),)]),
        ({"devices": [_device("b"), _device("a")]}, {"devices": [_device("a"), _device("b")]}, []),
        (
            {"devices": [_device(), _device(driver="a.io")]},
            {},
            [(_driver("arbitrary-node:update", "a.io"),), (_driver("arbitrary-node:update"),)],
        ),
    ],
)  # fmt: skip
def test_each_part_that_changes_asks_for_a_permission_of_its_own(
    new: Json, old: Json, demanded: list[tuple[Permission, ...]]
) -> None:
    """Who allocates may not report on devices, and the other way; each driver is one permission."""
    assert _demanded(UserInfo("jane"), new, old) == demanded


@pytest.mark.parametrize(
    ("user", "node", "verbs"),
    [
        (_ON_NODE, "n", ["associated-node:update", "arbitrary-node:update"]),
        (_ON_NODE, "other", ["arbitrary-node:update"]),
        (_ON_NODE, "", ["arbitrary-node:update"]),
        (UserInfo(_ACCOUNT), "n", ["arbitrary-node:update"]),
        (UserInfo("jane", extra=_ON_NODE.extra), "n", ["arbitrary-node:update"]),
    ],
)
def test_a_driver_on_the_node_of_the_claim_needs_less(user: UserInfo, node: str, verbs: list[str]) -> None:
    """It is the ServiceAccount of a pod on that node, as its token says."""
    allocation = _allocation(node)
    new = {"allocation": allocation, "devices": [_device()]}
    assert _demanded(user, new, {"allocation": allocation}) == [tuple(map(_driver, verbs))]


async def _claimed(bench: RegistryBench) -> None:
    request = {"name": "card", "exactly": {"deviceClassName": "card"}}
    await bench.create(
        "resourceclaims", {"metadata": {"name": "claim"}, "spec": {"devices": {"requests": [request]}}}
    )
    verbs = ["update", "patch"]
    rule = {"apiGroups": [GROUP], "resources": ["resourceclaims/status"], "verbs": verbs}
    await bench.create("clusterroles", {"metadata": {"name": "status"}, "rules": [rule]})
    subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "status", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "status"}, "subjects": [subject], "roleRef": role}
    await bench.create("clusterrolebindings", binding)


async def test_a_status_is_refused_with_all_that_is_missing() -> None:
    """As fields that may not change, with what the authorizer says of the permission."""
    async with running_registry() as bench:
        await _claimed(bench)
        status = {"allocation": _allocation(), "devices": [_device()]}
        request = bench.request(
            "patch",
            "resourceclaims/status",
            "claim",
            body=msgspec.json.encode({"status": status}),
            patch_type=PatchType.MERGE,
        )
        with pytest.raises(Invalid) as caught:
            await bench.registry.patch(msgspec.structs.replace(request, user=UserInfo("jane")))
        causes = {cause.field: cause.message for cause in caught.value.causes}
        assert causes == {"status": NO_BINDING, "status.devices": NO_DRIVER}


async def test_what_drivers_said_of_devices_goes_with_their_allocation() -> None:
    """Whoever frees a claim need not know of it."""
    async with running_registry() as bench:
        await _claimed(bench)
        status = {"allocation": _allocation(), "devices": [_device()]}
        merge = PatchType.MERGE
        written = await bench.patch("resourceclaims/status", "claim", {"status": status}, merge)
        assert written["status"]["devices"] == [_device()]
        freed = await bench.patch("resourceclaims/status", "claim", {"status": {"allocation": None}}, merge)
        assert freed["status"] == {}
