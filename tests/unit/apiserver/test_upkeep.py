"""Compaction, presence, and the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.bootstrap import Bootstrap
from apiserver.compaction import Compaction
from apiserver.config import ApiserverConfig
from apiserver.presence import Addresses, Presence
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import Expired
from machinery.model.log import SILENT
from machinery.process.config import ConfigError
from tests.support.apiserver import RegistryBench, running_registry


class _CountingStorage(MemoryStorage):
    compacted: list[int]

    def __init__(self) -> None:
        super().__init__()
        self.compacted = []

    async def compact(self, revision: int) -> None:
        self.compacted.append(revision)
        await super().compact(revision)


async def _write(storage: MemoryStorage, count: int) -> int:
    for _ in range(count):
        current = await storage.get("/k")
        if current is None:
            await storage.create("/k", b"v")
        else:
            await storage.update("/k", b"v", current.revision)
    return await storage.revision()


async def test_what_is_older_than_a_round_is_forgotten() -> None:
    """The history of the last round stays: clients that were away for less go on."""
    storage = _CountingStorage()
    compaction = Compaction(storage, SILENT)
    first = await _write(storage, 5)
    await compaction.round()
    await _write(storage, 5)
    await compaction.round()
    assert storage.compacted == [first]
    assert (await storage.list("/k", revision=first)).items
    with pytest.raises(Expired):
        await storage.list("/k", revision=first - 1)


async def test_two_apiservers_compact_once_a_round() -> None:
    """The one that writes the key first does it; after a while the other may."""
    storage = _CountingStorage()
    pair = [Compaction(storage, SILENT), Compaction(storage, SILENT)]
    for _ in range(4):
        await _write(storage, 3)
        for compaction in pair:
            await compaction.round()
    assert len(storage.compacted) == 3
    assert storage.compacted == sorted(storage.compacted)


def _presence(bench: RegistryBench, address: str) -> Presence:
    bootstrap = Bootstrap(bench.catalogue, bench.registry, bench.feed, SILENT)
    addresses = Addresses("10.96.0.1", address, 6443, ("10.96.0.0/16",))
    return Presence(bench.storage, bench.feed, bootstrap, addresses, SILENT)


async def _endpoints(bench: RegistryBench) -> list[str]:
    found = await bench.get("endpointslices", "kubernetes")
    return [address for each in found["endpoints"] for address in each["addresses"]]


async def test_apiservers_that_are_alive_are_endpoints() -> None:
    """One that is gone disappears with its key."""
    storage = MemoryStorage()
    async with running_registry(storage) as bench:
        one, two = _presence(bench, "10.77.0.1"), _presence(bench, "10.77.0.2")
        await one.ensure()
        await two.ensure()
        assert await _endpoints(bench) == ["10.77.0.1", "10.77.0.2"]
        older = await bench.get("endpoints", "kubernetes")
        assert older["subsets"][0]["addresses"] == [{"ip": "10.77.0.1"}, {"ip": "10.77.0.2"}]
        assert older["metadata"]["labels"] == {"endpointslice.kubernetes.io/skip-mirror": "true"}
        assert (await bench.get("servicecidrs", "kubernetes"))["spec"]["cidrs"] == ["10.96.0.0/16"]
        assert (await bench.get("services", "kubernetes"))["spec"]["clusterIP"] == "10.96.0.1"
        storage.expire("/registry/masterleases/10.77.0.1")
        await two.ensure()
        assert await _endpoints(bench) == ["10.77.0.2"]


async def test_the_kubernetes_service_comes_back() -> None:
    """Who deletes it gets it again, and nobody else has its address meanwhile."""
    async with running_registry() as bench:
        presence = _presence(bench, "127.0.0.1")
        await presence.ensure()
        await bench.delete("services", "kubernetes")
        await presence.ensure()
        assert (await bench.get("services", "kubernetes"))["spec"]["ports"][0]["targetPort"] == 6443


def _config(**fields: Any) -> ApiserverConfig:
    names = ("ca_file", "cert_file", "key_file", "kubelet_cert_file", "kubelet_key_file", "sa_key_file")
    defaults: dict[str, Any] = {"etcd_servers": ("http://127.0.0.1:1",), **dict.fromkeys(names, __file__)}
    return ApiserverConfig(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("etcd_servers", ()),
        ("sa_key_file", ""),
        ("etcd_cert_file", "/nowhere"),
        ("rest_listen", ("localhost",)),
        ("service_cidr", "10.96.0.0/33"),
        ("service_cidr", "fd00::/112"),
        ("service_cidr", "10.96.0.0/30"),
        ("service_cidr", "10.96.0.0/16,fd00::/126"),
        ("service_cidr", "10.96.0.0/16,10.97.0.0/16"),
        ("service_cidr", "fd00::/112,10.96.0.0/16"),
    ],
)
def test_a_configuration_that_does_not_work_names_the_flag(field: str, value: object) -> None:
    """Before the first socket opens."""
    _config().validate()
    with pytest.raises(ConfigError) as refused:
        _config(**{field: value}).validate()
    assert refused.value.field == field
