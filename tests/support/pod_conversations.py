"""Conversations about what a pod's processes say: at the REST door, and on connections taken over from the engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp

from dockershim import seam_engine
from dockershim.docker import Engine
from dockershim.engine_connection import EngineConnection, Hijacked
from kubarium.core.certificates import Certificate
from machinery.model.errors import BY_CODE, Unavailable, from_status
from machinery.model.seam import Ends
from machinery.pb import node_pb2
from machinery.process.clock import SystemClock
from machinery.process.faults import PlannedFaults
from machinery.process.recorder import Recorder
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.node import SERVICE, SERVICE_PATH
from machinery.wire.services import handler
from tests.support.apiserver import Served
from tests.support.conversations import Conversation, Next, TalkativeKubelet, seams
from tests.support.cri_servers import DOCKER, IMAGE
from tests.support.images import build_all
from tests.support.requirements import need

_numbers = count(1)
_POD = "/api/v1/namespaces/default/pods/web"


# --- the REST door: logs and exec


@dataclass
class PodStreams:
    """A pod at the REST door, and the kubelet that runs it."""

    kubelet: TalkativeKubelet
    session: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def log(self) -> AsyncIterator[Next]:
        """Follow the pod's log. The request is made when something is asked for, as with every other stream."""
        async with contextlib.AsyncExitStack() as stack:
            response: list[aiohttp.ClientResponse] = []

            async def read() -> bytes:
                if not response:
                    asked = self.session.get(f"{_POD}/log?follow=true")
                    response.append(await stack.enter_async_context(asked))
                return await _piece(response[0])

            yield read

    @contextlib.asynccontextmanager
    async def exec(self) -> AsyncIterator[Next]:
        """Run a command that says what the kubelet is told to say."""
        async with contextlib.AsyncExitStack() as stack:
            sockets: list[aiohttp.ClientWebSocketResponse] = []

            async def read() -> bytes:
                if not sockets:
                    sockets.append(await stack.enter_async_context(self.socket()))
                return await heard(sockets[0])

            yield read

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a command's streams."""
        query, protocols = "command=say&stdin=1&stdout=1", ("v5.channel.k8s.io",)
        try:
            async with self.session.ws_connect(f"{_POD}/exec?{query}", protocols=protocols) as socket:
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            raise BY_CODE[error.status](error.message) from error


async def _piece(response: aiohttp.ClientResponse) -> bytes:
    if response.status != 200:
        raise from_status(json.loads(await response.read()))
    try:
        return await response.content.readline()
    except aiohttp.ClientError as error:
        raise Unavailable(f"the log broke off: {error}") from error


async def heard(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    """Return what a command says next; the first message of a socket only names its channel."""
    while message := await socket.receive():
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise Unavailable("the command broke off")
        if message.data[1:]:
            return bytes(message.data[1:])
    raise AssertionError


class SayingKubelet(TalkativeKubelet):
    """A kubelet whose commands say the lines that it is told to, and remember what they hear."""

    async def Exec(self, inputs: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        """Run a command."""

        async def hear() -> None:
            async for each in inputs:
                if each.stdin:
                    self.heard.append(each.stdin)

        hearing = asyncio.ensure_future(hear())
        try:
            async for chunk in self.Logs(None, context):
                yield node_pb2.StreamOutput(stdout=chunk.data)
        finally:
            hearing.cancel()


@contextlib.asynccontextmanager
async def pod_streams(served: Served) -> AsyncIterator[PodStreams]:
    """A pod whose kubelet listens where its Node says."""
    kubelet, pki = SayingKubelet(), served.pki
    pki.ensure(Certificate("kubelet", "system:node:node-1", ("system:nodes",), hosts=("node-1",)))
    files = (str(pki.certificate("kubelet")), str(pki.key("kubelet")), str(pki.certificate("ca")))
    server = grpc_server(["127.0.0.1:0"], ServerTls(*files), [handler(SERVICE, SERVICE_PATH, kubelet)])
    await server.start()
    session = aiohttp.ClientSession(
        f"https://{served.config.rest_listen[0]}",
        connector=aiohttp.TCPConnector(ssl=served.tls().ssl_context()),
        headers={CALLER_KEY: "scheduler"},
    )
    async with session:
        address = {"type": "InternalIP", "address": "127.0.0.1"}
        port = {"kubeletEndpoint": {"Port": bound_ports(server)[0]}}
        status = {"addresses": [address], "daemonEndpoints": port}
        await _post(session, "/api/v1/nodes", {"metadata": {"name": "node-1"}})
        await _post(session, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        headers = {"Content-Type": "application/merge-patch+json"}
        async with session.patch(
            "/api/v1/nodes/node-1/status", json={"status": status}, headers=headers
        ) as response:
            assert response.status == 200, await response.text()
        spec = {"nodeName": "node-1", "containers": [{"name": "main", "image": "x"}]}
        await _post(session, "/api/v1/namespaces/default/pods", {"metadata": {"name": "web"}, "spec": spec})
        try:
            yield PodStreams(kubelet, session)
        finally:
            await server.stop(0)


async def _post(session: aiohttp.ClientSession, path: str, obj: Any) -> None:
    async with session.post(path, json=obj) as response:
        assert response.status in {201, 409}, await response.text()


@contextlib.asynccontextmanager
async def pod_at_the_door(served: Served, method: str) -> AsyncIterator[Conversation]:
    """The REST door's "Logs" or "Exec"."""
    process = served.process
    assert process.recorder is not None
    async with pod_streams(served) as pod:

        async def provoke() -> None:
            pod.kubelet.lines.put_nowait(b"line\n")

        yield Conversation(
            Ends("scheduler", "apiserver", "rest", "server"),
            process.faults,
            process.recorder,
            about="pods/default/web",
            stream_method=method,
            stream={"Logs": pod.log, "Exec": pod.exec}[method],
            provoke=provoke,
        )


# --- dockershim: connections taken over from the engine


@dataclass
class Echo:
    """A container that says what it hears, to everybody who is attached; and writes it down."""

    id: str
    engine: Engine  # through the seam
    healthy: Engine
    faults: PlannedFaults
    recorder: Recorder

    async def connect(self, action: str) -> Hijacked:
        """Upgrade a connection, through the seam: "attach", or "exec" of a command that reads what is written down."""
        if action == "attach":
            return await self.engine.attach(self.id, stdin=True)
        command = {"AttachStdout": True, "AttachStdin": True, "Cmd": ["tail", "-n0", "-f", "/tmp/said"]}
        return await self.engine.exec_start(await self.healthy.exec_create(self.id, command), tty=False)


@contextlib.asynccontextmanager
async def echoing_container() -> AsyncIterator[Echo]:
    """Run one."""
    need("docker")
    build_all()
    faults, recorder, seam = seams()
    bare = EngineConnection(DOCKER, SystemClock())
    engine, healthy = Engine(seam_engine.through(bare, seam, "dockershim@node-1")), Engine(bare)
    body = {"Image": IMAGE, "Cmd": ["tee", "-a", "/tmp/said"], "OpenStdin": True}
    container = await healthy.create(f"seam-{os.getpid()}-{next(_numbers)}", body)
    try:
        await healthy.start(container)
        yield Echo(container, engine, healthy, faults, recorder)
    finally:
        await healthy.remove(container)
        await bare.aclose()


@contextlib.asynccontextmanager
async def taken_over(action: str) -> AsyncIterator[Conversation]:
    """Dockershim's "attach" or "exec"."""
    async with echoing_container() as container:
        speaker = await container.healthy.attach(container.id, stdin=True)

        @contextlib.asynccontextmanager
        async def stream() -> AsyncIterator[Next]:
            taken: list[Hijacked] = []

            async def read() -> bytes:
                if not taken:
                    taken.append(await container.connect(action))
                return await taken[0].read()

            try:
                yield read
            finally:
                for each in taken:
                    each.close()

        yield Conversation(
            Ends("dockershim@node-1", "docker", "docker"),
            container.faults,
            container.recorder,
            about=f"containers/{container.id}",
            stream_method={"attach": "POST containers/attach", "exec": "POST exec/start"}[action],
            stream=stream,
            provoke=lambda: speaker.write(b"line\n"),
        )
        speaker.close()
