"""Services get their addresses and node ports, each of them once."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network

import pytest

from apiserver.core.service_claims import NODE_PORTS
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import AlreadyExists, Invalid
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, running_registry, service
from tests.support.stalls import using

ADDRESSES = "/registry/ipaddresses/"
PORTS = "/registry/ranges/servicenodeports/"


async def _claims(bench: RegistryBench, prefix: str) -> list[str]:
    return [item.key.removeprefix(prefix) for item in (await bench.storage.list(prefix)).items]


async def test_a_service_gets_an_address_and_gives_it_back(bench: RegistryBench) -> None:
    """The claim lives as long as the Service."""
    created = await bench.create("services", service())
    address = created["spec"]["clusterIP"]
    assert ip_address(address) in ip_network("10.96.0.0/16")
    assert created["spec"]["clusterIPs"] == [address]
    assert await _claims(bench, ADDRESSES) == [address]
    await bench.delete("services", "web")
    assert await _claims(bench, ADDRESSES) == []


async def test_an_address_is_given_once(bench: RegistryBench) -> None:
    """Who asks for a taken one by name is refused in Kubernetes' words, and so is one out of range."""
    await bench.create("services", service("a", clusterIP="10.96.0.77"))
    with pytest.raises(
        Invalid, match=r"failed to allocate IP 10\.96\.0\.77: provided IP is already allocated"
    ):
        await bench.create("services", service("b", clusterIP="10.96.0.77"))
    with pytest.raises(Invalid, match="not in the valid range"):
        await bench.create("services", service("b", clusterIP="10.97.0.1"))
    with pytest.raises(Invalid, match="already allocated"):
        await bench.create("services", service("b", clusterIP="10.96.0.1"))
    assert await _claims(bench, ADDRESSES) == ["10.96.0.77"]


async def test_a_headless_service_has_no_address(bench: RegistryBench) -> None:
    """`None` is a wish, too."""
    assert (await bench.create("services", service(clusterIP="None")))["spec"]["clusterIP"] == "None"
    assert await _claims(bench, ADDRESSES) == []


async def test_a_refused_service_keeps_nothing(bench: RegistryBench) -> None:
    """What was claimed for a write that did not happen is free again."""
    with pytest.raises(Invalid):
        await bench.create("services", service(ports=[{"port": 0}]))
    await bench.create("services", service())
    with pytest.raises(AlreadyExists):
        await bench.create("services", service())
    assert len(await _claims(bench, ADDRESSES)) == 1


@pytest.mark.parametrize("addresses", [["10.96.0.77"], ["None", "10.96.0.77"]])
async def test_addresses_are_named_by_the_first_one_too(bench: RegistryBench, addresses: list[str]) -> None:
    """Else none is taken: a list without its first one is not filled in, and nothing follows `None`."""
    with pytest.raises(Invalid, match="must be "):
        await bench.create("services", service(clusterIPs=addresses))
    assert await _claims(bench, ADDRESSES) == []


async def test_a_dry_run_claims_nothing(bench: RegistryBench) -> None:
    """It shows an address that could be had."""
    assert (await bench.create("services", service(), dry_run=True))["spec"]["clusterIP"]
    assert await _claims(bench, ADDRESSES) == []


async def test_a_small_range_is_used_up_to_the_last_address() -> None:
    """Services at once get different addresses, until none is left."""
    async with running_registry(cidr="10.96.0.0/28") as bench:
        created = await asyncio.gather(*(bench.create("services", service(f"s{n}")) for n in range(13)))
        assert len({each["spec"]["clusterIP"] for each in created}) == 13
        with pytest.raises(Invalid, match="range is full"):
            await bench.create("services", service("late"))
        await bench.delete("services", "s3")
        await bench.create("services", service("late"))


async def test_two_apiservers_never_give_one_address_twice() -> None:
    """The store decides, not a process' memory."""
    store = MemoryStorage()
    async with (
        running_registry(store, cidr="10.96.0.0/27", seed=1) as one,
        running_registry(store, cidr="10.96.0.0/27", seed=1) as two,
    ):
        created = await asyncio.gather(
            *(
                bench.create("services", service(f"{name}{n}"))
                for n in range(10)
                for name, bench in (("a", one), ("b", two))
            )
        )
        assert len({each["spec"]["clusterIP"] for each in created}) == 20


async def test_node_ports_follow_the_type(bench: RegistryBench) -> None:
    """A NodePort Service gets them, and loses them when it becomes a ClusterIP Service."""
    created = await bench.create("services", service(type="NodePort"))
    port = created["spec"]["ports"][0]["nodePort"]
    assert port in NODE_PORTS
    with pytest.raises(Invalid, match="provided port is already allocated"):
        await bench.create("services", service("b", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
    with pytest.raises(Invalid, match="provided port is not in the valid range"):
        await bench.create("services", service("b", type="NodePort", ports=[{"port": 80, "nodePort": 80}]))
    await bench.patch("services", "web", {"spec": {"type": "ClusterIP"}})
    assert await _claims(bench, PORTS) == []
    assert len(await _claims(bench, ADDRESSES)) == 1


@pytest.mark.deep
async def test_a_service_of_many_ports_costs_what_its_ports_cost(bench: RegistryBench) -> None:
    """Its creation with a node port each, and every change of it: no port is compared with all others."""
    ports = [{"name": f"p{number}", "port": number} for number in range(1, 2_001)]
    await bench.create("services", service(type="NodePort", ports=ports))
    with using(less_than_s=2):
        for number in range(5):
            changed = await bench.patch("services", "web", {"metadata": {"labels": {"a": str(number)}}})
    held = {port["nodePort"] for port in changed["spec"]["ports"]}
    assert len(held) == 2_000
    assert len(await _claims(bench, PORTS)) == 2_000


async def test_claims_that_a_crash_left_are_repaired(bench: RegistryBench) -> None:
    """A claim without a Service goes when it is seen twice; a Service without its claim gets it."""
    created = await bench.create("services", service())
    address = created["spec"]["clusterIP"]
    stored = await bench.storage.get(ADDRESSES + address)
    assert stored
    await bench.storage.delete(stored.key, stored.revision)
    await bench.storage.create(ADDRESSES + "10.96.9.9", stored.value)
    suspects = await bench.allocator.repair({})
    assert await _claims(bench, ADDRESSES) == sorted([address, "10.96.9.9"])
    assert await bench.allocator.repair(suspects) == {}
    assert await _claims(bench, ADDRESSES) == [address]


async def test_a_claim_is_an_object_of_its_own(bench: RegistryBench) -> None:
    """An IPAddress with a uid that no other object has: what is owned is found by uids."""
    created = await bench.create("services", service())
    claim = await bench.get("ipaddresses", created["spec"]["clusterIP"], namespace="")
    assert claim["spec"]["parentRef"]["name"] == "web"
    assert claim["metadata"]["uid"] != created["metadata"]["uid"]


async def test_a_full_range_goes_on_in_a_service_cidr_that_is_ready() -> None:
    """And only there; an address of it may be asked for by name, until it is to go."""
    async with running_registry(cidr="10.96.0.0/29") as bench:
        for number in range(5):
            await bench.create("services", service(f"s{number}"))
        more = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"}}
        await bench.create("servicecidrs", {**more, "spec": {"cidrs": ["10.97.0.0/28"]}})
        await bench.feed.fresh()
        with pytest.raises(Invalid, match="range is full"):
            await bench.create("services", service("early"))
        ready = {"type": "Ready", "status": "True", "reason": "", "message": ""}
        ready["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        status = {"status": {"conditions": [ready]}, "metadata": {"finalizers": ["test/hold"]}}
        await bench.patch("servicecidrs/status", "more", status, PatchType.MERGE)
        await bench.patch(
            "servicecidrs", "more", {"metadata": {"finalizers": ["test/hold"]}}, PatchType.MERGE
        )
        await bench.feed.fresh()
        drawn = await bench.create("services", service("late"))
        assert drawn["spec"]["clusterIP"].startswith("10.97.0.")
        named = await bench.create("services", service("named", clusterIP="10.97.0.14"))
        assert named["spec"]["clusterIPs"] == ["10.97.0.14"]
        with pytest.raises(Invalid, match="not in the valid range"):
            await bench.create("services", service("edge", clusterIP="10.97.0.15"))
        await bench.delete("servicecidrs", "more")
        await bench.feed.fresh()
        with pytest.raises(Invalid, match="not in the valid range"):
            await bench.create("services", service("later", clusterIP="10.97.0.13"))


async def test_a_health_check_has_a_node_port_of_its_own(bench: RegistryBench) -> None:
    """As long as the Service is a load balancer with the Local policy; who asks for one by name gets that one."""
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    created = await bench.create("services", service(**local))
    number = created["spec"]["healthCheckNodePort"]
    assert number in NODE_PORTS
    assert sorted(await _claims(bench, PORTS)) == sorted(
        str(each) for each in (number, created["spec"]["ports"][0]["nodePort"])
    )
    named = await bench.create("services", service("b", **local, healthCheckNodePort=32001))
    assert named["spec"]["healthCheckNodePort"] == 32001
    with pytest.raises(Invalid, match="HealthCheck NodePort 32001: provided port is already allocated"):
        await bench.create("services", service("c", **local, healthCheckNodePort=32001))
    changed = await bench.patch("services", "web", {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in changed["spec"]
    back = await bench.patch("services", "web", {"spec": {"externalTrafficPolicy": "Local"}})
    assert back["spec"]["healthCheckNodePort"] in NODE_PORTS
    await bench.delete("services", "web")
    await bench.delete("services", "b")
    assert await _claims(bench, PORTS) == []


async def test_a_service_changes_its_type_all_the_way_round(bench: RegistryBench) -> None:
    """What a type has is taken with it and left with it."""
    external = {"type": "ExternalName", "externalName": "example.com"}
    steps = [
        ({"type": "NodePort"}, (1, 1)),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, (1, 2)),
        ({**external, "ports": None}, (0, 0)),
        ({"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}]}, (1, 0)),
        ({"externalIPs": ["192.0.2.1"]}, (1, 0)),
        ({"type": "NodePort", "externalIPs": None}, (1, 1)),
        ({**external, "ports": None, "externalTrafficPolicy": None}, (0, 0)),
    ]
    await bench.create("services", service())
    for change, held in steps:
        changed = await bench.patch("services", "web", {"spec": change}, PatchType.MERGE)
        assert (len(await _claims(bench, ADDRESSES)), len(await _claims(bench, PORTS))) == held
        is_external = changed["spec"]["type"] == "ExternalName"
        assert is_external == ("ipFamilies" not in changed["spec"])
        has_policy = changed["spec"]["type"] in {"NodePort", "LoadBalancer"} or "externalIPs" in change
        assert has_policy == ("externalTrafficPolicy" in changed["spec"])


async def test_node_ports_stay_with_their_names(bench: RegistryBench) -> None:
    """Ports of one number share one when they are made; who writes without them keeps them."""
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 9153},
    ]
    created = await bench.create("services", service(type="NodePort", ports=ports))
    numbers = [port["nodePort"] for port in created["spec"]["ports"]]
    assert numbers[0] == numbers[1] != numbers[2]
    moved = [{"name": "metrics", "port": 9154}, {"name": "new", "port": 53}]
    changed = await bench.patch("services", "web", {"spec": {"ports": moved}}, PatchType.MERGE)
    kept, new = (port["nodePort"] for port in changed["spec"]["ports"])
    assert kept == numbers[2]
    assert sorted(await _claims(bench, PORTS)) == sorted(map(str, (kept, new)))
    none = await bench.create(
        "services", service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    )
    assert "nodePort" not in none["spec"]["ports"][0]


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4"], "SingleStack"),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["IPv4"], "PreferDualStack"),
        ({"clusterIP": "None"}, ["IPv4", "IPv6"], "RequireDualStack"),
        ({"clusterIP": "None", "ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ({"clusterIP": "None", "selector": {"a": "b"}}, ["IPv4"], "SingleStack"),
    ],
)
async def test_families_are_those_of_the_cluster(
    bench: RegistryBench, spec: dict[str, object], families: list[str], policy: str
) -> None:
    """One; a headless Service without a selector may have endpoints of both."""
    created = (await bench.create("services", service(**spec)))["spec"]
    assert (created["ipFamilies"], created["ipFamilyPolicy"]) == (families, policy)
    changed = await bench.patch("services", "web", {"spec": {"ipFamilyPolicy": "SingleStack"}})
    assert changed["spec"]["ipFamilies"] == families[:1]


async def test_a_service_may_have_a_name_that_starts_with_a_digit(bench: RegistryBench) -> None:
    """As v1.36 takes it: a label of RFC 1123."""
    created = await bench.create("services", {**service(), "metadata": {"name": "1web"}})
    assert created["metadata"]["name"] == "1web"
