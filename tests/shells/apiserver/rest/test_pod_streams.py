"""Logs and exec: what a caller gets of what a kubelet says."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kubarium.identity.pki import Pki
from machinery.model.errors import BadRequest
from machinery.process.server import bound_ports, grpc_server, peer
from machinery.process.tls import ServerTls
from machinery.wire.node import messages as pb
from machinery.wire.services import handler
from tests.support.apiserver import Served
from tests.support.rest_door import Client, Wire, request

POD = "/api/v1/namespaces/default/pods/web"


class Kubelet:
    """A kubelet whose containers say `line 1`, `line 2`, and whose commands are `cat`, `fail` and `refuse`."""

    def __init__(self) -> None:
        self.callers: list[str] = []
        self.asked: list[Any] = []
        self.left = asyncio.Event()  # set when a log is not followed any more

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        self.callers.append(peer(context).common_name)
        self.asked.append(request)
        if request.previous:
            raise BadRequest('previous terminated container "main" in pod "web" not found')
        yield pb.LogChunk(data=b"line 1\n")
        yield pb.LogChunk(data=b"line 2\n")
        if request.follow:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()

    async def Exec(self, inputs: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        stream = inputs.__aiter__()
        start = (await anext(stream)).start
        match start.command[0]:
            case "cat":
                async for event in stream:
                    if event.close_stdin:
                        break
                    yield pb.StreamOutput(stdout=event.stdin)
                yield pb.StreamOutput(exit=pb.ExitStatus())
            case "fail":
                yield pb.StreamOutput(stderr=b"oh\n")
                yield pb.StreamOutput(exit=pb.ExitStatus(code=7))
            case _:
                raise BadRequest("the container does not run")

    async def Tunnel(self, inputs: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        """Upgrade a connection as it asks, and echo what comes; what says `refuse` is refused."""
        stream = inputs.__aiter__()
        start = (await anext(stream)).start
        streams = getattr(start, start.WhichOneof("target"))
        self.asked.append(start)
        if "refuse" in streams.start.command:
            raise BadRequest("unable to upgrade")
        headers = [each for each in streams.headers if each.name != "Sec-WebSocket-Key"]
        yield pb.TunnelOutput(opened=pb.TunnelOpened(headers=headers))
        try:
            async for event in stream:
                if event.data == b"end":
                    return
                yield pb.TunnelOutput(data=event.data)
        finally:
            self.left.set()


@pytest.fixture
async def wire(served: Served) -> AsyncIterator[Wire]:
    """A connection of an admin's."""
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    context.load_cert_chain(served.pki.certificate("admin"), served.pki.key("admin"))
    host, _, port = served.config.rest_listen[0].rpartition(":")
    connection = Wire(*await asyncio.open_connection(host, int(port), ssl=context))
    yield connection
    connection.writer.transport.abort()


@pytest.fixture
async def kubelet(pki: Pki, admin: aiohttp.ClientSession) -> AsyncIterator[Kubelet]:
    """A kubelet with one pod, `web` with the containers `main` and `side`."""
    node = Kubelet()
    files = (str(pki.certificate("node-1")), str(pki.key("node-1")), str(pki.certificate("ca")))
    service = handler(pb.DESCRIPTOR.services_by_name["Node"], "kubarium.node.v1.Node", node)
    server = grpc_server(["127.0.0.1:0"], ServerTls(*files), [service])
    await server.start()
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": bound_ports(server)[0]}},
    }
    await _post(admin, "/api/v1/nodes", {"metadata": {"name": "node-1"}})
    await _merge(admin, "/api/v1/nodes/node-1/status", {"status": status})
    await _post(admin, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    containers = [{"name": "main", "image": "x"}, {"name": "side", "image": "x"}]
    await _post(
        admin,
        "/api/v1/namespaces/default/pods",
        {"metadata": {"name": "web"}, "spec": {"nodeName": "node-1", "containers": containers}},
    )
    yield node
    await server.stop(0)


async def _post(session: aiohttp.ClientSession, path: str, obj: dict[str, Any]) -> None:
    async with session.post(path, json=obj) as response:
        assert response.status in {201, 409}, await response.text()


async def _merge(session: aiohttp.ClientSession, path: str, patch: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    async with session.patch(path, data=json.dumps(patch), headers=headers) as response:
        assert response.status == 200, await response.text()


async def test_a_log_is_passed_on(admin: aiohttp.ClientSession, kubelet: Kubelet):
    """The apiserver comes with its own certificate, and says exactly what is asked for."""
    async with admin.get(f"{POD}/log?container=main&tailLines=2&timestamps=true") as response:
        assert (response.status, await response.text()) == (200, "line 1\nline 2\n")
    asked = kubelet.asked[0]
    assert kubelet.callers == ["kube-apiserver-kubelet-client"]
    assert (asked.container.pod, asked.tail_lines, asked.timestamps, asked.HasField("limit_bytes")) == (
        "web",
        2,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("protocols", "messages"),
    [
        ((), [b"", b"line 1\n", b"line 2\n"]),
        (("binary.k8s.io",), [b"", b"line 1\n", b"line 2\n"]),
        (("base64.binary.k8s.io",), ["", "bGluZSAxCg==", "bGluZSAyCg=="]),
    ],
)
@pytest.mark.usefixtures("kubelet")
async def test_a_log_goes_over_a_websocket_too(
    admin: aiohttp.ClientSession, protocols: tuple[str, ...], messages: list[bytes | str]
):
    """An empty message tells that the connection stands; what the caller sends meanwhile is ignored."""
    async with admin.ws_connect(f"{POD}/log?container=main", protocols=protocols) as socket:
        await socket.send_str("ignored")
        assert [message.data async for message in socket] == messages
        assert socket.protocol == (protocols[0] if protocols else None)


async def test_a_followed_log_ends_when_the_caller_of_a_websocket_goes(
    admin: aiohttp.ClientSession, kubelet: Kubelet
):
    """The kubelet is told, so that nobody follows a log for nobody."""
    async with admin.ws_connect(f"{POD}/log?container=main&follow=1") as socket:
        assert await socket.receive_bytes() == b""
        assert await socket.receive_bytes() == b"line 1\n"
    async with asyncio.timeout(60):
        await kubelet.left.wait()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "a container name must be specified for pod web, choose one of: [main side]"),
        ("container=x", 400, "container x is not valid for pod web"),
        ("container=main&previous=1", 400, "previous terminated container"),
        ("container=main&tailLines=-1", 422, "tailLines"),
        ("container=main&sinceTime=yesterday", 400, "sinceTime"),
    ],
)
@pytest.mark.usefixtures("kubelet")
async def test_a_log_that_cannot_be_had(admin: aiohttp.ClientSession, query: str, status: int, words: str):
    """The reason is a Status, whether the apiserver or the kubelet knows it."""
    async with admin.get(f"{POD}/log?{query}") as response:
        assert response.status == status
        assert words in (await response.json())["message"]


async def test_a_kubelet_that_shows_another_nodes_name_is_not_asked(
    admin: aiohttp.ClientSession, kubelet: Kubelet
):
    """Whatever address the Node object gives: here one at which the kubelet of node-1 listens."""
    async with admin.get("/api/v1/nodes/node-1") as response:
        status = (await response.json())["status"]
    await _post(admin, "/api/v1/nodes", {"metadata": {"name": "node-2"}})
    await _merge(admin, "/api/v1/nodes/node-2/status", {"status": status})
    pod = {
        "metadata": {"name": "other"},
        "spec": {"nodeName": "node-2", "containers": [{"name": "main", "image": "x"}]},
    }
    await _post(admin, "/api/v1/namespaces/default/pods", pod)
    async with admin.get("/api/v1/namespaces/default/pods/other/log") as response:
        assert response.status == 503
        assert 'kubelet of node "node-2"' in (await response.json())["message"]
    assert kubelet.asked == []
    path = "/api/v1/namespaces/default/pods/other/log?insecureSkipTLSVerifyBackend=true"
    async with admin.get(path) as response:  # unless the caller believes whoever answers there
        assert response.status == 200
    async with admin.get("/api/v1/namespaces/default/pods/other/log") as response:
        assert response.status == 503


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_a_command_gets_its_input_and_its_output_comes_back(
    admin: aiohttp.ClientSession, protocol: str
):
    """Channel 0 goes in, 1 comes out, 3 tells the end; with v5 the input can be closed."""
    path = f"{POD}/exec?command=cat&container=main&stdin=1&stdout=1"
    async with admin.ws_connect(path, protocols=(protocol,)) as socket:
        assert socket.protocol == protocol
        assert await socket.receive_bytes() == b"\x01"
        await socket.send_bytes(b"\x00hello")
        assert await socket.receive_bytes() == b"\x01hello"
        if protocol.startswith("v5"):
            await socket.send_bytes(b"\xff\x00")
            end = await socket.receive_bytes()
            assert (end[:1], json.loads(end[1:])["status"]) == (b"\x03", "Success")


@pytest.mark.usefixtures("kubelet")
async def test_the_answer_that_upgrades_names_no_server(admin: aiohttp.ClientSession):
    """As kube-apiserver's: neither a library nor its version."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
    }
    path = f"{POD}/exec?command=cat&container=main&stdin=1&stdout=1"
    async with admin.get(path, headers=headers) as response:
        assert response.status == 101
        assert response.headers["Sec-WebSocket-Protocol"] == "v5.channel.k8s.io"
        assert "Server" not in response.headers
        response.close()


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("before", [b"", b"\x82\x83\0\0\0\0\0hi"])
async def test_frames_of_a_client_have_to_be_masked(wire: Wire, before: bytes):
    """The first one that is not ends the connection, with the reason that the protocol has for it."""
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    names = ("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: v5.channel.k8s.io")
    await wire.send(
        request("GET", f"{POD}/exec?command=cat&container=main&stdin=1&stdout=1", *upgrade, *names)
    )
    async with asyncio.timeout(60):
        assert b" 101 " in await wire.reader.readuntil(b"\r\n\r\n")
        await wire.reader.readexactly(3)  # that the connection stands
        await wire.send(before + b"\x82\x03\0no")
        answer = await wire.reader.read()
    echo = b"\x82\x03\x01hi" if before else b""
    assert answer.startswith((echo + b"\x88\x02\x03\xea", b"\x88\x02\x03\xea"))
    assert b"no" not in answer


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize(
    ("protocols", "messages"),
    [
        ((), [b"\x01", b"\x02oh\n", b"\x03command terminated with non-zero exit code: exit status 7"]),
        (
            ("channel.k8s.io",),
            [b"\x01", b"\x02oh\n", b"\x03command terminated with non-zero exit code: exit status 7"],
        ),
        (
            ("base64.channel.k8s.io",),
            [
                "1",
                "2b2gK",
                "3Y29tbWFuZCB0ZXJtaW5hdGVkIHdpdGggbm9uLXplcm8gZXhpdCBjb2RlOiBleGl0IHN0YXR1cyA3",
            ],
        ),
    ],
)
async def test_older_protocols_tell_only_a_failure_and_in_words(
    admin: aiohttp.ClientSession, protocols: tuple[str, ...], messages: list[bytes | str]
):
    """Also where no protocol is offered at all, as plain WebSocket clients do."""
    path = f"{POD}/exec?command=fail&container=main&stdout=1&stderr=1"
    async with admin.ws_connect(path, protocols=protocols) as socket:
        assert [message.data async for message in socket] == messages


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("path", ["exec?command=cat&container=main&stdin=1&stdout=1", "log?container=main"])
async def test_an_unknown_protocol_is_refused_before_the_upgrade(admin: aiohttp.ClientSession, path: str):
    """Nothing is begun that the caller could not read."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await admin.ws_connect(f"{POD}/{path}", protocols=("v9.channel.k8s.io",))
    assert refused.value.status == 400


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize(("command", "reason"), [("fail", "NonZeroExitCode"), ("refuse", "BadRequest")])
async def test_how_a_command_failed_is_told(admin: aiohttp.ClientSession, command: str, reason: str):
    """The exit code, or why there is none, comes on channel 3."""
    path = f"{POD}/exec?command={command}&container=main&stdout=1&stderr=1"
    async with admin.ws_connect(path, protocols=("v5.channel.k8s.io",)) as socket:
        messages = [message.data async for message in socket]
    assert json.loads(messages[-1][1:])["reason"] == reason
    assert (b"\x02oh\n" in messages) == (command == "fail")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("exec?command=cat&container=main&stdout=1", 400),
        ("portforward", 400),
        ("portforward?ports=http", 400),
    ],
)
@pytest.mark.usefixtures("kubelet")
async def test_other_ways_into_a_pod_are_refused(
    admin: aiohttp.ClientSession, client: Client, path: str, status: int
):
    """A plain request needs an upgrade; not everybody may."""
    async with admin.get(f"{POD}/{path}") as response:
        assert response.status == status
    async with client("nobody").get(f"{POD}/{path}") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("path", "target", "offer"),
    [
        ("exec?command=cat&container=main&stdin=1&stdout=1", "exec", "v4.channel.k8s.io"),
        ("attach?container=side&stdout=1", "attach", "v4.channel.k8s.io"),
        ("portforward", "port_forward", "portforward.k8s.io"),
        ("portforward?ports=80&ports=81,82", "port_forward", "portforward.k8s.io"),
    ],
)
async def test_spdy_goes_through_as_it_is(wire: Wire, kubelet: Kubelet, path: str, target: str, offer: str):
    """The runtime agrees on a version with the caller, and hears every byte; then either side ends it."""
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": offer}
    reader, writer = wire.reader, wire.writer
    writer.write(request("POST", f"{POD}/{path}", *(f"{name}: {value}" for name, value in headers.items())))
    async with asyncio.timeout(60):
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        assert status == "HTTP/1.1 101 Switching Protocols"
        assert dict(line.split(": ", 1) for line in lines) == headers
        sent = bytes(range(256)) * 4000
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.write(b"end")
        assert await reader.read() == b""
    [start] = kubelet.asked
    assert start.WhichOneof("target") == target
    streams = getattr(start, target)
    assert streams.query == ("port=80,81,82" if "ports" in path else "")
    assert streams.start.container.container == {"exec": "main", "attach": "side"}.get(target, "")


async def test_a_tunnel_ends_when_its_caller_has_gone(wire: Wire, kubelet: Kubelet):
    """The kubelet is told, so that nobody forwards for nobody."""
    reader, writer = wire.reader, wire.writer
    writer.write(request("POST", f"{POD}/portforward", "Connection: Upgrade", "Upgrade: SPDY/3.1"))
    async with asyncio.timeout(60):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await kubelet.left.wait()


async def test_what_the_runtime_refuses_to_upgrade(wire: Wire, kubelet: Kubelet):
    """It is an answer of its own, before anything is upgraded."""
    del kubelet
    reader, writer = wire.reader, wire.writer
    path = f"{POD}/exec?command=refuse&container=main&stdout=1"
    writer.write(request("POST", path, "Connection: Upgrade", "Upgrade: SPDY/3.1"))
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")


async def test_spdy_within_a_websocket_is_unwrapped(admin: aiohttp.ClientSession, kubelet: Kubelet):
    """The runtime hears plain SPDY, whatever the messages that it comes in."""
    protocol = "SPDY/3.1+portforward.k8s.io"
    async with admin.ws_connect(f"{POD}/portforward", protocols=(protocol,)) as socket:
        assert socket.protocol == protocol
        for message in (b"a", b"b" * 100_000):
            await socket.send_bytes(message)
        received = b""
        while len(received) < 100_001:
            received += await socket.receive_bytes()
        assert received == b"a" + b"b" * 100_000
        await socket.send_bytes(b"end")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    headers = {each.name: each.value for each in kubelet.asked[0].port_forward.headers}
    assert headers["Upgrade"] == "SPDY/3.1"
    assert headers["X-Stream-Protocol-Version"] == "portforward.k8s.io"


async def test_a_kubelet_that_is_away_is_named(admin: aiohttp.ClientSession, kubelet: Kubelet):
    """The message says which node's, and where."""
    del kubelet
    endpoint = {"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}}
    await _merge(admin, "/api/v1/nodes/node-1/status", endpoint)
    async with admin.get(f"{POD}/log?container=main") as response:
        assert response.status == 503
        assert (
            'the kubelet of node "node-1" at 127.0.0.1:1 cannot be reached'
            in (await response.json())["message"]
        )
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await admin.ws_connect(
            f"{POD}/exec?command=cat&container=main&stdout=1", protocols=("v5.channel.k8s.io",)
        )
    assert refused.value.status == 503
