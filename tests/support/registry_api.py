"""An apiserver in the test's process, under the test's clock, and the `Api` to it for every identity of a cluster.

The registry is the real one (admission, defaults, watch caches, the gate with RBAC) over the store in memory. Its
gRPC door is entered through a `LocalChannel` with the component's client certificate: who is who, who may do what
and how errors travel is as in a cluster.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from apiserver import app
from apiserver.config import ApiserverConfig
from apiserver.services.resources import resources_handler
from apiserver.storage.memory import MemoryStorage
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import GrpcTransport
from machinery.process.run import Process
from tests.support.apiserver import RegistryBench
from tests.support.local_channel import LocalChannel, ServerTasks

_COMPONENTS = {
    "admin": ("kubernetes-admin", ("system:masters",)),
    "scheduler": ("system:kube-scheduler", ()),
    "controllers": ("system:kube-controller-manager", ()),
}


def identities(folder: Path, nodes: int = 4) -> Pki:
    """Make the certificates of a cluster: once for many tests."""
    pki = Pki(folder)
    for name, (common_name, groups) in _COMPONENTS.items():
        pki.ensure(Certificate(name, common_name, groups))
    for number in range(1, nodes + 1):
        pki.ensure(Certificate(f"node-{number}", f"system:node:node-{number}", ("system:nodes",)))
    pki.ensure_signing_key()
    return pki


@dataclass(frozen=True)
class LocalApiserver:
    """The apiserver, and the ways in."""

    core: app.Core
    storage: MemoryStorage
    pki: Pki
    server: ServerTasks
    admin: RegistryBench

    def channel(self, identity: str) -> LocalChannel:
        """Open a channel to the gRPC door: "scheduler", "controllers", "node-1", "admin"."""
        core = self.core
        handler = resources_handler(core.catalogue, core.registry, core.gate, core.authenticator)
        certificate = self.pki.certificate(identity).read_bytes()
        return LocalChannel([handler], self.server, certificate=certificate)

    def connect(self, identity: str) -> Api:
        """Return an `Api` for an identity."""
        return Api(GrpcTransport(self.channel(identity), caller=identity))


@asynccontextmanager
async def local_apiserver(pki: Pki, process: Process, *, rng: Random) -> AsyncIterator[LocalApiserver]:
    """Run an apiserver on an empty store until its objects are there."""
    config = ApiserverConfig(
        sa_key_file=str(pki.key("sa")),
        ca_file=str(pki.certificate("ca")),
        kubelet_cert_file=str(pki.certificate("admin")),
        kubelet_key_file=str(pki.key("admin")),
    )
    storage = MemoryStorage()
    core = app.build(config, process, storage, rng=rng)
    admin = RegistryBench(core, process.clock)
    server = ServerTasks()
    async with app.running(core, process):
        try:
            yield LocalApiserver(core, storage, pki, server, admin)
        finally:
            core.feed.end_watches()
            await server.aclose()
            await core.kubelets.aclose()
    assert not server.bugs, server.bugs
