"""A kubelet's certificates against a real apiserver and the real controllers of certificates, with lives of a few seconds."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.app import build
from controllers.certificate_approving import build as approving
from controllers.certificate_signing import build as signing
from controllers.core.controller import Settings
from controllers.signing import Authority
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from kubelet.certificates import NodeCertificates, rotation
from kubelet.config import KubeletConfig
from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.errors import ApiError
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.k8s.core_v1 import Secret
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT
from machinery.model.profile import Intervals
from machinery.model.requests import Selection
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS, NODES, SECRETS
from machinery.process.clock import SystemClock
from machinery.process.logging import Log
from machinery.process.run import Process
from machinery.process.server import bound_ports, grpc_server
from machinery.rpc import channel
from tests.support.apiserver import Served, certificates, serving
from tests.support.waiting import until

SCALE = 75.0  # ten cluster minutes, the shortest life of a certificate, are eight seconds
LIFE_S = 600 / SCALE
TOKEN = "abcdef.0123456789abcdef"
NODE = "node-7"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = certificates(tmp_path_factory.mktemp("pki"))
    made.ensure(Certificate("controllers", "system:kube-controller-manager"))
    made.ensure(Certificate("serving", f"system:node:{NODE}", hosts=(NODE,)))
    return made


@dataclass
class World:
    served: Served
    admin: Api
    folder: Path

    async def requests(self) -> dict[str, CertificateSigningRequest]:
        found = await self.admin.list(CERTIFICATE_SIGNING_REQUESTS)
        return {each.metadata.name: each for each in found.items}

    async def decide(self, name: str, type_: str) -> None:
        condition = {"type": type_, "status": "True", "reason": "Tested"}
        patch = {"status": {"conditions": [condition]}}
        await self.admin.patch(CERTIFICATE_SIGNING_REQUESTS, name, patch, subresource="approval")

    def kubeconfig(self, token: str) -> str:
        cluster = {
            "server": f"https://{self.served.config.rest_listen[0]}",
            "certificate-authority": str(self.served.pki.certificate("ca")),
        }
        content = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        path = self.folder / "bootstrap-kubeconfig"
        path.write_text(yaml.safe_dump(content))
        return str(path)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are tried again at once, and connections that are left close at once."""
    monkeypatch.setattr(rotation, "RETRY", Backoff(0.02, 0.02))
    monkeypatch.setattr(channel, "LEAVE_S", 0.1)


@pytest.fixture
async def world(pki: Pki, tmp_path: Path) -> AsyncIterator[World]:
    authority = Authority(str(pki.certificate("ca")), str(pki.key("ca")))
    settings = Settings(
        Intervals(leader_lease_s=3_000, leader_renew_deadline_s=2_000, leader_retry_s=150),
        (),
        sign_certificate=authority.sign,
        signing_duration_s=600,
    )
    async with serving(pki) as served:
        admin, api = served.connect("grpc"), served.connect("grpc", "controllers")
        data = {"token-id": TOKEN[:6], "token-secret": TOKEN[7:], "usage-bootstrap-authentication": "true"}
        secret = Secret(
            metadata=ObjectMeta(name=f"bootstrap-token-{TOKEN[:6]}", namespace="kube-system"),
            type="bootstrap.kubernetes.io/token",
            stringData=data,
        )
        await admin.create(SECRETS, secret)
        controllers = build(
            api, SystemClock(SCALE), SILENT, settings, identity="test", table=(approving, signing)
        )
        running = asyncio.ensure_future(controllers.run())
        try:
            yield World(served, admin, tmp_path)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await api.aclose()
            await admin.aclose()


@dataclass
class Begun:
    certificates: NodeCertificates
    process: Process
    log: io.StringIO


@asynccontextmanager
async def kubelet(world: World, **fields: Any) -> AsyncIterator[Begun]:
    """Have a kubelet's certificates, in the process of one."""
    config = KubeletConfig(
        server=world.served.config.grpc_listen[0],
        ca_file=str(world.served.pki.certificate("ca")),
        time_scale=SCALE,
        node_name=NODE,
        root_dir=str(world.folder / "kubelet"),
        cri_socket="none",
        **fields,
    )
    config.validate()
    log = io.StringIO()
    async with asyncio.TaskGroup() as tasks:
        process = Process("kubelet", config, Log("kubelet", stream=log), tasks)
        yield Begun(NodeCertificates(config, process, draw=lambda: 0.0), process, log)


async def test_a_node_gets_its_certificate_for_a_token_and_renews_it(world: World) -> None:
    """Each before the last one ends; what was opened with the old one ends, and is opened anew."""
    folder = world.folder / "kubelet" / "pki"
    async with kubelet(world, bootstrap_kubeconfig=world.kubeconfig(TOKEN)) as begun:
        tls = await begun.certificates.identity()
        first = (folder / "kubelet-client-current.pem").readlink()
        api = begun.process.connect(tls)
        [request] = (await world.requests()).values()
        assert request.spec.username == f"system:bootstrap:{TOKEN[:6]}"
        running = asyncio.ensure_future(begun.certificates.run(api, lambda *_: None))
        watch = api.watch(NODES, Selection(field_selector=f"metadata.name={NODE}"), resource_version="")
        await anext(watch)
        with pytest.raises(ApiError, match="renewed"):
            await anext(watch)
        await until(lambda: len(list(folder.glob("kubelet-client-2*.pem"))) >= 2)
        assert (folder / "kubelet-client-current.pem").readlink() != first
        names = [each.spec.username for each in (await world.requests()).values()]
        bootstrap, *later = sorted(names)
        assert (bootstrap, set(later)) == (f"system:bootstrap:{TOKEN[:6]}", {f"system:node:{NODE}"})
        await api.list(NODES, Selection(field_selector=f"metadata.name={NODE}"))
        running.cancel()
        await asyncio.wait([running])
        await api.aclose()
        assert 0 < (begun.certificates.client_ttl_s() or 0) < LIFE_S
    assert "certificate_issued" in begun.log.getvalue()
    assert begun.certificates.renewal_errors() == (0, 0)


async def test_a_wrong_token_is_refused_and_the_log_says_so(world: World) -> None:
    """It is tried again: a token may come later."""
    path = world.kubeconfig("abcdef.ffffffffffffffff")
    async with kubelet(world, bootstrap_kubeconfig=path) as begun:
        identity = asyncio.ensure_future(begun.certificates.identity())
        await until(lambda: "certificate_not_renewed" in begun.log.getvalue())
        assert "Unauthorized" in begun.log.getvalue()
        assert await world.requests() == {}
        assert begun.certificates.renewal_errors()[0] > 0
        world.kubeconfig(TOKEN)
        assert await identity is not None


async def test_a_serving_certificate_waits_for_an_approval_and_outlives_a_restart(world: World) -> None:
    """The next kubelet finds the request of the one before; one that is denied is followed by another."""
    pki = world.served.pki
    given = (str(pki.certificate("serving")), str(pki.key("serving")))
    fields = {
        "tls_cert_file": given[0],
        "tls_private_key_file": given[1],
        "rotate_server_certificates": True,
        "bootstrap_kubeconfig": world.kubeconfig(TOKEN),
    }
    asked: list[str] = []
    for decision in ("", "Denied", "Approved"):
        async with kubelet(world, **fields) as begun:
            tls = await begun.certificates.identity()
            api = begun.process.connect(tls)
            server = grpc_server(["127.0.0.1:0"], begun.certificates.serving(), [])
            await server.start()
            before = await shown(world, bound_ports(server)[0])
            running = asyncio.ensure_future(begun.certificates.run(api, server.show))

            async def pending() -> list[str]:
                return [
                    name
                    for name, each in (await world.requests()).items()
                    if each.spec.signerName.endswith("serving") and not each.status.conditions
                ]

            [name] = await until(pending)
            asked.append(name)
            if decision:
                await world.decide(name, decision)
            if decision == "Denied":
                await until(lambda: "denied" in begun.log.getvalue())
            if decision == "Approved":
                await until(lambda: "certificate_issued kind=kubelet-server" in begun.log.getvalue())
                assert await shown(world, bound_ports(server)[0]) != before
            running.cancel()
            await asyncio.wait([running])
            await server.stop(0)
            await api.aclose()
    assert asked[0] == asked[1] != asked[2]


async def shown(world: World, port: int) -> bytes:
    """Return the certificate that a server shows."""
    context = world.served.tls().ssl_context()
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NODE)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return bytes(found)
