"""Pages of a kubelet, asked for by a component over either door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.errors import Forbidden, NotFound, Unavailable
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.wire.node import messages as pb
from machinery.wire.services import handler
from tests.support import builders
from tests.support.apiserver import Served


class Node:
    """A kubelet that says what it is asked."""

    async def Page(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        if request.path == "/none":
            raise NotFound("404 page not found")
        if request.path == "/broken":
            raise Unavailable("no room")
        yield pb.PageChunk(head=pb.PageHead(status=200, content_type="text/plain"))
        for part in (request.method, " ", request.path):
            yield pb.PageChunk(data=part.encode())


@pytest.fixture(params=["grpc", "rest"])
async def api(request: pytest.FixtureRequest, served: Served, pki: Pki) -> AsyncIterator[Api]:
    """The admin's way in; there is the node `node-1`."""
    own = Certificate("serving-node-1", "system:node:node-1", ("system:nodes",), hosts=("node-1",))
    pki.ensure(own)
    files = (str(pki.certificate(own.name)), str(pki.key(own.name)), str(pki.certificate("ca")))
    service = handler(pb.DESCRIPTOR.services_by_name["Node"], "kubarium.node.v1.Node", Node())
    kubelet = grpc_server(["127.0.0.1:0"], ServerTls(*files), [service])
    await kubelet.start()
    admin = served.connect(request.param)
    fresh = builders.node("node-1")
    await admin.create(kinds.NODES, builders.changed(fresh, metadata__uid="", metadata__resourceVersion=""))
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": bound_ports(kubelet)[0]}},
    }
    await admin.patch(kinds.NODES, "node-1", {"status": status}, subresource="status")
    yield admin
    await admin.aclose()
    await kubelet.stop(0)


async def test_a_page_is_read_and_written_to(api: Api):
    """Its method is the verb's, its path what follows `proxy`."""
    assert await api.ask_node("node-1", "Get", "stats/summary") == b"GET /stats/summary"
    assert await api.ask_node("node-1", "Create", "localVolumes/pv") == b"POST /localVolumes/pv"
    assert await api.ask_node("node-1", "Delete", "localVolumes/pv") == b"DELETE /localVolumes/pv"


async def test_what_a_kubelet_refuses_comes_back(api: Api):
    """So does that there is no such node, or that nobody answers."""
    with pytest.raises(NotFound):
        await api.ask_node("node-1", "Get", "none")
    with pytest.raises(Unavailable, match="no room"):
        await api.ask_node("node-1", "Get", "broken")
    with pytest.raises(NotFound):
        await api.ask_node("node-9", "Get", "healthz")


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_who_may_not_ask_is_refused(served: Served, transport: str):
    """A scheduler has nothing to look for at nodes."""
    scheduler = served.connect(transport, "scheduler")
    try:
        with pytest.raises(Forbidden, match='cannot get resource "nodes/proxy"'):
            await scheduler.ask_node("node-1", "Get", "healthz")
    finally:
        await scheduler.aclose()
