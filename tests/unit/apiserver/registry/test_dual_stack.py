"""Services of a cluster that has addresses of both families.

https://kubernetes.io/docs/concepts/services-networking/dual-stack/ : the policies, their defaults, and switching between them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec
import pytest

from apiserver.core.values import Json
from machinery.model.errors import Invalid
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, running_registry, service

BOTH = "10.96.0.0/16,fd00:10:96::/112"
RANGES = {"IPv4": ip_network("10.96.0.0/16"), "IPv6": ip_network("fd00:10:96::/112")}
V4, V6 = "10.96.0.77", "fd00:10:96::77"
CLAIMS = "/registry/ipaddresses/"
HEADLESS = {"clusterIP": "None"}
SELECTOR = {"selector": {"app": "web"}}
SINGLE = {"ipFamilyPolicy": "SingleStack"}
PREFER = {"ipFamilyPolicy": "PreferDualStack"}
REQUIRE = {"ipFamilyPolicy": "RequireDualStack"}


@asynccontextmanager
async def _running() -> AsyncIterator[RegistryBench]:
    async with running_registry(cidr=BOTH) as bench:
        yield bench


async def _claims(bench: RegistryBench) -> set[str]:
    return {item.key.removeprefix(CLAIMS) for item in (await bench.storage.list(CLAIMS)).items}


def _families(spec: Json) -> list[str]:
    """Return the families of a spec, after a look at its addresses: one of each, in order, of the cluster's ranges."""
    families: list[str] = spec["ipFamilies"]
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert len(spec["clusterIPs"]) == len(families)
    for address, family in zip(spec["clusterIPs"], families, strict=True):
        assert ip_address(address) in RANGES[family]
    return families


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4"], "SingleStack"),
        (PREFER, ["IPv4", "IPv6"], "PreferDualStack"),
        (REQUIRE, ["IPv4", "IPv6"], "RequireDualStack"),
        ({"ipFamilies": ["IPv6"]}, ["IPv6"], "SingleStack"),
        ({**PREFER, "ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "PreferDualStack"),
        ({**REQUIRE, "ipFamilies": ["IPv6", "IPv4"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ({"clusterIP": V6}, ["IPv6"], "SingleStack"),
        ({**PREFER, "clusterIP": V6}, ["IPv6", "IPv4"], "PreferDualStack"),
        ({**REQUIRE, "clusterIP": V4, "clusterIPs": [V4, V6]}, ["IPv4", "IPv6"], "RequireDualStack"),
        (
            {**REQUIRE, "clusterIP": V4, "clusterIPs": [V4, V6], "ipFamilies": ["IPv4"]},
            ["IPv4", "IPv6"],
            "RequireDualStack",
        ),
        ({**REQUIRE, "type": "NodePort"}, ["IPv4", "IPv6"], "RequireDualStack"),
        ({**REQUIRE, "type": "LoadBalancer"}, ["IPv4", "IPv6"], "RequireDualStack"),
    ],
)
async def test_a_service_gets_the_families_of_its_policy(
    spec: Json, families: list[str], policy: str
) -> None:
    """One without a policy is single, of the cluster's first family where it names none; its own order counts."""
    async with _running() as bench:
        created = (await bench.create("services", service(**spec)))["spec"]
        assert (_families(created), created["ipFamilyPolicy"]) == (families, policy)
        assert set(spec.get("clusterIPs", [])) <= set(created["clusterIPs"])
        assert await _claims(bench) == set(created["clusterIPs"])
        await bench.delete("services", "web")
        assert await _claims(bench) == set()


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        (SELECTOR, ["IPv4"], "SingleStack"),
        ({**SELECTOR, **PREFER}, ["IPv4", "IPv6"], "PreferDualStack"),
        ({**SELECTOR, **REQUIRE, "ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ({}, ["IPv4", "IPv6"], "RequireDualStack"),
        (SINGLE, ["IPv4"], "SingleStack"),
        ({"ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "RequireDualStack"),
    ],
)
async def test_a_headless_service_has_families_and_no_address(
    spec: Json, families: list[str], policy: str
) -> None:
    """Without a selector it has both, whatever the cluster has, unless it is to be single."""
    async with _running() as bench:
        created = (await bench.create("services", service(**HEADLESS, **spec)))["spec"]
        assert (created["ipFamilies"], created["ipFamilyPolicy"]) == (families, policy)
        assert created["clusterIPs"] == ["None"]
        assert await _claims(bench) == set()


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            "spec.ipFamilyPolicy",
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {**SINGLE, "clusterIP": V4, "clusterIPs": [V4, V6]},
            "spec.ipFamilyPolicy",
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
        ),
        (
            {**REQUIRE, "clusterIP": V4, "clusterIPs": [V4, "10.96.0.78"]},
            "spec.clusterIPs",
            "may specify no more than one IP for each IP family",
        ),
        (
            {**REQUIRE, "clusterIP": V4, "ipFamilies": ["IPv6"]},
            "spec.clusterIPs[0]",
            "expected an IPv6 value as indicated by `ipFamilies[0]`",
        ),
        ({**REQUIRE, "ipFamilies": ["IPv4", "IPv4"]}, "spec.ipFamilies[1]", "Duplicate value"),
        ({"ipFamilies": ["IPv5"]}, "spec.ipFamilies[0]", "Unsupported value"),
        ({"ipFamilyPolicy": "Both"}, "spec.ipFamilyPolicy", "Unsupported value"),
        ({**PREFER, "clusterIP": "fd00:10:97::1"}, "spec.clusterIPs", "not in the valid range"),
        ({"clusterIP": "fd00:10:96::"}, "spec.clusterIPs", "not in the valid range"),
    ],
)
async def test_what_contradicts_itself_is_refused(spec: Json, field: str, text: str) -> None:
    """In Kubernetes' words; and nothing stays claimed."""
    async with _running() as bench:
        with pytest.raises(Invalid) as refused:
            await bench.create("services", service(**spec))
        assert any(cause.field == field and text in cause.message for cause in refused.value.causes)
        assert await _claims(bench) == set()


@pytest.mark.parametrize(
    ("before", "change", "families"),
    [
        ({}, REQUIRE, ["IPv4", "IPv6"]),
        ({}, PREFER, ["IPv4", "IPv6"]),
        ({"ipFamilies": ["IPv6"]}, REQUIRE, ["IPv6", "IPv4"]),
        ({}, {**PREFER, "ipFamilies": ["IPv4", "IPv6"]}, ["IPv4", "IPv6"]),
        ({"clusterIP": V4}, {**PREFER, "clusterIPs": [V4, V6]}, ["IPv4", "IPv6"]),
        (REQUIRE, SINGLE, ["IPv4"]),
        ({**PREFER, "ipFamilies": ["IPv6"]}, SINGLE, ["IPv6"]),
        (REQUIRE, {**SINGLE, "ipFamilies": ["IPv4"]}, ["IPv4"]),
        (REQUIRE, PREFER, ["IPv4", "IPv6"]),
        (PREFER, {"ports": [{"port": 81}]}, ["IPv4", "IPv6"]),
        ({**HEADLESS, **SELECTOR}, REQUIRE, ["IPv4", "IPv6"]),
    ],
)
async def test_a_service_changes_between_one_and_two_families(
    before: Json, change: Json, families: list[str]
) -> None:
    """The first address stays; the second one is claimed, or free again."""
    async with _running() as bench:
        old = (await bench.create("services", service(**before)))["spec"]
        new = (await bench.patch("services", "web", {"spec": change}, PatchType.MERGE))["spec"]
        assert new["ipFamilies"] == families
        assert new["clusterIP"] == old["clusterIP"]
        if new["clusterIP"] != "None":
            assert _families(new) == families
            assert await _claims(bench) == set(new["clusterIPs"])


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"clusterIPs": [V4]}, "spec.ipFamilyPolicy", "must be 'SingleStack' to release the secondary cluster IP"),
        ({"ipFamilies": ["IPv4"]}, "spec.ipFamilyPolicy", "must be 'SingleStack' to release the secondary IP family"),
        ({"clusterIPs": [V4, "fd00:10:96::78"]}, "spec.clusterIPs[1]", "may not change once set"),
        ({"clusterIP": V6, "clusterIPs": [V6, V4], "ipFamilies": ["IPv6", "IPv4"]}, "spec.clusterIPs[0]", "may not change once set"),
        ({**SINGLE, "clusterIP": V6, "clusterIPs": [V6], "ipFamilies": ["IPv6"]}, "spec.clusterIPs[0]", "may not change once set"),
    ],
)  # fmt: skip
async def test_a_service_of_two_families_keeps_them(change: Json, field: str, text: str) -> None:
    """The second one is released by the policy only, the first one by nothing."""
    async with _running() as bench:
        await bench.create("services", service(**REQUIRE, clusterIP=V4, clusterIPs=[V4, V6]))
        with pytest.raises(Invalid) as refused:
            await bench.patch("services", "web", {"spec": change}, PatchType.MERGE)
        assert any(cause.field == field and text in cause.message for cause in refused.value.causes)
        assert await _claims(bench) == {V4, V6}


async def test_a_service_that_becomes_a_name_gives_both_addresses_back() -> None:
    """And gets new ones when it is a Service with addresses again."""
    async with _running() as bench:
        await bench.create("services", service(**REQUIRE))
        name = {"type": "ExternalName", "externalName": "example.com", "ports": None}
        changed = (await bench.patch("services", "web", {"spec": name}, PatchType.MERGE))["spec"]
        assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & changed.keys()
        assert await _claims(bench) == set()
        again = {"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}], **PREFER}
        changed = (await bench.patch("services", "web", {"spec": again}, PatchType.MERGE))["spec"]
        assert _families(changed) == ["IPv4", "IPv6"]


async def test_who_preferred_two_in_a_cluster_with_one_family_stays_as_it_is() -> None:
    """When the cluster gets a second one, a Service gets it only when it is changed itself."""
    async with running_registry() as bench:
        await bench.create("services", service(**PREFER))
        storage = bench.storage
    async with running_registry(storage, cidr=BOTH) as bench:
        relabelled = await bench.patch(
            "services", "web", {"metadata": {"labels": {"a": "b"}}}, PatchType.MERGE
        )
        assert _families(relabelled["spec"]) == ["IPv4"]
        asked = await bench.patch("services", "web", {"spec": REQUIRE}, PatchType.MERGE)
        assert _families(asked["spec"]) == ["IPv4", "IPv6"]


async def test_a_claim_says_its_family_in_the_one_form_of_an_address() -> None:
    """However the Service writes it: so nobody has it twice."""
    async with _running() as bench:
        await bench.create("services", service("a", clusterIP="fd00:0010:96:0::77"))
        [claim] = (await bench.storage.list(CLAIMS)).items
        assert claim.key == f"{CLAIMS}{V6}"
        written: dict[str, Any] = msgspec.json.decode(claim.value)
        assert written["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"] == "IPv6"
        with pytest.raises(Invalid, match="already allocated"):
            await bench.create("services", service("b", clusterIP=V6))
