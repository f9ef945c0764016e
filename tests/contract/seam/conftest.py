"""One conversation after the other, each with its real other end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest

from tests.support import conversations, pod_conversations
from tests.support.apiserver import serving
from tests.support.conversations import Conversation
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.images import build_all
from tests.support.requirements import need

CLIENTS = ["client-resources", "client-rest"]
SERVERS = ["server-resources", "server-rest"]
REAL = [
    pytest.param("etcd", marks=pytest.mark.etcd),
    pytest.param("cri-dockershim", marks=pytest.mark.docker),
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("cni", marks=pytest.mark.docker),
]
PODS = [
    "pod-Logs",
    "pod-Exec",
    pytest.param("taken-attach", marks=pytest.mark.docker),
    pytest.param("taken-exec", marks=pytest.mark.docker),
]
CALLS = [*CLIENTS, *SERVERS, "cri-hollow", *REAL]
STREAMS = [*CLIENTS, *SERVERS, "node-client", "node-server", "cri-hollow", *REAL[:-1], *PODS]


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    """One etcd; every test uses keys of its own."""
    need("etcd")
    with etcd_server() as server:
        yield server


async def opened(name: str, request: pytest.FixtureRequest, stack: AsyncExitStack) -> Conversation:
    """Open the conversation of that name."""
    made: AbstractAsyncContextManager[Conversation]
    side, _, rest = name.partition("-")
    match side:
        case "client" | "server":
            served = await stack.enter_async_context(_apiserver(request))
            make = conversations.component_client if side == "client" else conversations.apiserver_door
            made = make(served, "grpc" if rest == "resources" else "rest")
        case "pod":
            served = await stack.enter_async_context(_apiserver(request))
            made = pod_conversations.pod_at_the_door(served, rest)
        case "taken":
            made = pod_conversations.taken_over(rest)
        case "node":
            made = conversations.node_service(rest)
        case "cri":
            made = conversations.container_runtime(request.getfixturevalue(rest))
        case "etcd":
            made = conversations.etcd_member(request.getfixturevalue("etcd").address)
        case "docker":
            need("docker")
            build_all()
            made = conversations.docker_engine()
        case _:
            need("cni")
            made = conversations.cni_plugins()
    return await stack.enter_async_context(made)


def _apiserver(request: pytest.FixtureRequest) -> Any:
    return serving(
        request.getfixturevalue("pki"), faults_file="/nonexistent/faults.json", record_messages=200
    )


@pytest.fixture(params=CALLS)
async def calls(request: pytest.FixtureRequest) -> AsyncIterator[Conversation]:
    """Every conversation that has calls with one answer."""
    async with AsyncExitStack() as stack:
        yield await opened(request.param, request, stack)


@pytest.fixture(params=STREAMS)
async def streams(request: pytest.FixtureRequest) -> AsyncIterator[Conversation]:
    """Every conversation that has streams."""
    async with AsyncExitStack() as stack:
        yield await opened(request.param, request, stack)
