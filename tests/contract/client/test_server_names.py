"""Who a server is, is known by the name in its certificate, over both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.rest_transport import connect_rest
from machinery.model.errors import Unavailable
from machinery.model.resources import NODES
from machinery.process.clock import WALL
from tests.support.apiserver import Served, serving


@pytest.fixture
async def elsewhere(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver whose certificate says nothing of where it is."""
    named = Certificate("apiserver-elsewhere", "kube-apiserver", hosts=("apiserver",))
    pki.ensure(named)
    files = {"cert_file": str(pki.certificate(named.name)), "key_file": str(pki.key(named.name))}
    async with serving(pki, **files) as running:
        yield running


def connect(transport: str, served: Served, server_name: str) -> Api:
    tls = replace(served.tls(), server_name=server_name)
    if transport == "grpc":
        return connect_grpc(served.config.grpc_listen[0], tls, caller="test", clock=WALL)
    return connect_rest(f"https://{served.config.rest_listen[0]}", tls, caller="test", clock=WALL)


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_a_server_is_accepted_by_name_at_any_address(elsewhere: Served, transport: str):
    """The certificate needs no address."""
    api = connect(transport, elsewhere, "apiserver")
    assert (await api.list(NODES)).items == []
    await api.aclose()


@pytest.mark.parametrize("transport", ["grpc", "rest"])
@pytest.mark.parametrize("server_name", ["etcd", ""])
async def test_another_name_is_refused(elsewhere: Served, transport: str, server_name: str):
    """Without a name it is the host that was dialled."""
    api = connect(transport, elsewhere, server_name)
    with pytest.raises(Unavailable):
        await api.list(NODES, timeout_s=5)
    await api.aclose()
