"""The server as who it is in a cluster, at a whole apiserver over both transports: it may do what it has to."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from pathlib import Path

import pytest

from dns.app import Dns
from dns.config import DnsConfig
from kubarium.core.certificates import Certificate
from kubarium.dns_answers import connected, until_it_answers
from machinery.model.resources import ENDPOINT_SLICES, SERVICES
from machinery.process.logging import Log
from machinery.process.run import Process
from tests.support.apiserver import certificates, serving
from tests.support.ports import free_ports
from tests.support.waiting import until


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_the_server_may_do_what_it_has_to(tmp_path: Path, transport: str):
    """Read what names are made of, announce itself, and answer for the apiserver."""
    pki = certificates(tmp_path)
    pki.ensure(Certificate("dns", "system:kube-dns"))
    [port] = free_ports(1)
    config = DnsConfig(
        server="set:0",
        listen=(f"127.0.0.1:{port}",),
        announce_address="10.77.0.1",
        announce_port=6447,
        resolv_conf="",
    )
    log = io.StringIO()
    async with serving(pki) as served, asyncio.TaskGroup() as tasks:
        process = Process("dns", config, Log("dns", stream=log), tasks)
        api = served.connect(transport, "dns", caller="dns")
        work = tasks.create_task(Dns(config, process, api).run())
        try:
            await until(lambda: not process.health.problems(), what=log.getvalue())
        except AssertionError:
            raise AssertionError(log.getvalue()) from None
        async with asyncio.timeout(60):
            await until_it_answers(partial(connected, "127.0.0.1", port))
        admin = served.connect("grpc")
        found = await admin.get(SERVICES, "kube-dns", namespace="kube-system")
        assert found.spec.clusterIP == "10.96.0.10"
        slice_ = await admin.get(ENDPOINT_SLICES, "kube-dns-dns", namespace="kube-system")
        assert slice_.endpoints[0].addresses == ["10.77.0.1"]
        work.cancel()
        await admin.aclose()
        await api.aclose()
