"""An apiserver in the test's own process: its registry alone, or whole, with both doors on real TLS."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from apiserver import app
from apiserver.allocation import Allocator
from apiserver.config import ApiserverConfig
from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import KINDS
from apiserver.registry import Registry
from apiserver.request import (
    DeleteOptions,
    ListOptions,
    ListReply,
    ObjectReply,
    Request,
    SharedEvent,
    UserInfo,
    WatchReply,
    WriteOptions,
)
from apiserver.storage.interface import Storage
from apiserver.storage.memory import MemoryStorage
from apiserver.watch_cache_feed import Feed
from apiserver.write_record import WriteRecord
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from kubarium.identity.signing import new_key
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.rest_transport import connect_rest
from machinery.client.tls import ClientTls
from machinery.model.clock import Clock
from machinery.model.requests import PatchType
from machinery.model.seam import Seam
from machinery.process.clock import WALL
from machinery.process.logging import Log
from machinery.process.run import Process
from machinery.process.token_key import TokenKey
from tests.support.ports import free_ports
from tests.support.virtual_clock import VirtualClock

ADMIN = UserInfo("kubernetes-admin", groups=("system:masters", "system:authenticated"))
GROUPS = {plural: group for group, plural in KINDS if plural != "events"}


@dataclass
class RegistryBench:
    """The registry of an apiserver, and short ways to ask it as the admin."""

    core: app.Core
    clock: Clock

    @property
    def registry(self) -> Registry:
        return self.core.registry

    @property
    def catalogue(self) -> Catalogue:
        return self.core.catalogue

    @property
    def storage(self) -> Storage:
        return self.core.storage

    @property
    def feed(self) -> Feed:
        return self.core.feed

    @property
    def allocator(self) -> Allocator:
        return self.core.allocator

    @property
    def write_record(self) -> WriteRecord:
        return self.core.write_record

    def request(
        self, verb: str, resource: str, name: str = "", namespace: str = "default", **fields: Any
    ) -> Request:
        plural, _, subresource = resource.partition("/")
        group = GROUPS.get(plural, "")
        kind = self.catalogue.stored(group, plural)
        return Request(
            user=ADMIN,
            verb=verb,
            group=group,
            resource=plural,
            subresource=subresource,
            namespace="" if kind is not None and not kind.namespaced else namespace,
            name=name,
            **fields,
        )

    async def create(
        self,
        resource: str,
        obj: dict[str, Any],
        *,
        name: str = "",
        namespace: str = "default",
        **options: Any,
    ) -> dict[str, Any]:
        request = self.request(
            "create",
            resource,
            name,
            namespace,
            body=msgspec.json.encode(obj),
            writing=WriteOptions(**options),
        )
        return read(await self.registry.create(request))

    async def get(self, resource: str, name: str, **fields: Any) -> dict[str, Any]:
        return read(await self.registry.get(self.request("get", resource, name, **fields)))

    async def update(self, resource: str, obj: dict[str, Any], **options: Any) -> dict[str, Any]:
        request = self.request(
            "update",
            resource,
            obj["metadata"]["name"],
            body=msgspec.json.encode(obj),
            writing=WriteOptions(**options),
        )
        return read(await self.registry.update(request))

    async def patch(
        self, resource: str, name: str, patch: Any, patch_type: PatchType = PatchType.MERGE, **options: Any
    ) -> dict[str, Any]:
        request = self.request(
            "patch",
            resource,
            name,
            body=msgspec.json.encode(patch),
            patch_type=patch_type,
            writing=WriteOptions(**options),
        )
        return read(await self.registry.patch(request))

    async def apply(
        self, resource: str, config: dict[str, Any], manager: str = "me", **options: Any
    ) -> dict[str, Any]:
        name = config["metadata"]["name"]
        return await self.patch(resource, name, config, PatchType.APPLY, field_manager=manager, **options)

    async def delete(self, resource: str, name: str, **options: Any) -> dict[str, Any]:
        request = self.request("delete", resource, name, deleting=DeleteOptions(**options))
        return read(await self.registry.delete(request))

    async def list(self, resource: str, namespace: str = "", **options: Any) -> ListReply:
        request = self.request("list", resource, namespace=namespace, selection=ListOptions(**options))
        return await self.registry.list(request)

    async def watch(self, resource: str, namespace: str = "", **options: Any) -> WatchReply:
        request = self.request("watch", resource, namespace=namespace, selection=ListOptions(**options))
        return await self.registry.watch(request)


def read(reply: ObjectReply) -> dict[str, Any]:
    """Decode a reply."""
    return dict(msgspec.json.decode(reply.json))


def names(reply: ListReply) -> list[str]:
    """Return the names in a list."""
    return [read(item)["metadata"]["name"] for item in reply.items]


async def take(watch: WatchReply, count: int, within_s: float = 15.0) -> list[SharedEvent]:
    """Read so many events of a watch, then close it."""
    events: list[SharedEvent] = []
    async with asyncio.timeout(within_s):
        async for batch in watch:
            events += batch
            if len(events) >= count:
                break
    await watch.aclose()
    return events


def config_map(name: str, **data: str) -> dict[str, Any]:
    """Return a ConfigMap to create."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str = "web", *, node: str = "", **meta: Any) -> dict[str, Any]:
    """Return a Pod to create."""
    spec: dict[str, Any] = {"containers": [{"name": "main", "image": "nginx:1.27"}]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **meta}, "spec": spec}


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a Service to create."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], **spec},
    }


@cache
def signing_key() -> TokenKey:
    """Return the key of every registry that runs without files."""
    return TokenKey.parse(new_key())


@asynccontextmanager
async def running_registry(
    storage: Storage | None = None, *, cidr: str = "10.96.0.0/16", clock: Clock | None = None, seed: int = 7
) -> AsyncIterator[RegistryBench]:
    """Run a registry on a store, with the namespace `default` and its ServiceAccount."""
    storage, clock = storage or MemoryStorage(), clock or VirtualClock()
    config = ApiserverConfig(name="apiserver", service_cidr=cidr)
    async with asyncio.TaskGroup() as tasks:
        process = Process("apiserver", config, Log("apiserver", "error"), tasks)
        process.clock = clock  # type: ignore[assignment]  # a Clock is what all of them ask for
        core = app.build(config, process, storage, rng=random.Random(seed), key=signing_key())
        core.registry.open()
        bench, feed = RegistryBench(core, clock), core.feed
        follow = (feed.run(), feed.probe(), feed.fill(), core.definitions.run())
        loops = [tasks.create_task(loop) for loop in follow]
        try:
            await feed.wait_ready()
            if await storage.get("/registry/namespaces/default") is None:
                await bench.create("namespaces", {"metadata": {"name": "default"}})
                await bench.create("serviceaccounts", {"metadata": {"name": "default"}})
            yield bench
        finally:
            feed.end_watches()
            for loop in loops:
                loop.cancel()


@dataclass(frozen=True)
class Served:
    """A whole apiserver, and connections to it."""

    core: app.Core
    config: ApiserverConfig
    pki: Pki
    process: Process

    def tls(self, identity: str = "admin") -> ClientTls:
        """Return the client's side of TLS for a certificate of the test's CA."""
        return ClientTls(
            str(self.pki.certificate("ca")), str(self.pki.certificate(identity)), str(self.pki.key(identity))
        )

    def connect(
        self,
        transport: str,
        identity: str = "admin",
        *,
        address: str = "",
        caller: str = "test",
        seam: Seam | None = None,
    ) -> Api:
        """Connect over "grpc" or "rest"; to another address than the apiserver's, if one is given."""
        tls = self.tls(identity)
        if transport == "grpc":
            return connect_grpc(
                address or self.config.grpc_listen[0], tls, caller=caller, seam=seam, clock=WALL
            )
        url = f"https://{address or self.config.rest_listen[0]}"
        return connect_rest(url, tls, caller=caller, seam=seam, clock=WALL)


def certificates(folder: Path) -> Pki:
    """Make the certificates of a small cluster."""
    pki = Pki(folder)
    pki.ensure(Certificate("apiserver", "kube-apiserver", hosts=("localhost", "127.0.0.1")))
    pki.ensure(Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client"))
    pki.ensure(Certificate("admin", "kubernetes-admin", ("system:masters",)))
    pki.ensure(Certificate("scheduler", "system:kube-scheduler"))
    pki.ensure(Certificate("nobody", "nobody"))
    pki.ensure_signing_key()
    return pki


def configuration(pki: Pki, etcd: str = "127.0.0.1:1", **fields: Any) -> ApiserverConfig:
    """Return the configuration of an apiserver on free ports."""
    rest, grpc = free_ports(2)
    config = ApiserverConfig(
        etcd_servers=(f"http://{etcd}",),
        rest_listen=(f"127.0.0.1:{rest}",),
        grpc_listen=(f"127.0.0.1:{grpc}",),
        ca_file=str(pki.certificate("ca")),
        cert_file=str(pki.certificate("apiserver")),
        key_file=str(pki.key("apiserver")),
        kubelet_cert_file=str(pki.certificate("apiserver-kubelet-client")),
        kubelet_key_file=str(pki.key("apiserver-kubelet-client")),
        sa_key_file=str(pki.key("sa")),
    )
    return replace(config, **fields)


@asynccontextmanager
async def serving(
    pki: Pki, storage: Storage | None = None, *, log: Log | None = None, **fields: Any
) -> AsyncIterator[Served]:
    """Serve both doors of a whole apiserver on a store, bootstrapped."""
    config = configuration(pki, **fields)
    async with asyncio.TaskGroup() as tasks:
        process = Process("apiserver", config, log or Log(config.name or "apiserver", "error"), tasks)
        core = app.build(config, process, storage or MemoryStorage())
        async with app.running(core, process), app.doors(core, config, process):
            await core.bootstrap.run_until_done(process.clock)
            await core.presence.ensure()
            core.registry.open()
            process.health.is_ready = True
            yield Served(core, config, pki, process)
