"""The kubelet's door on real TLS, with exec through a real WebSocket server on a unix socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import WSMsgType, web

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from kubelet.cgroups import Cgroups
from kubelet.core.eviction.usage import ContainerDisk, PodDisk, Space
from kubelet.core.log_lines import LoggedContainer
from kubelet.core.node_status import Machine
from kubelet.core.node_summary import Disk, VolumeUsage
from kubelet.exec_streams import MAX_MESSAGE_BYTES, Exit, connect, read_outcome
from kubelet.local_volumes import LocalVolumes
from kubelet.machine_info import read_machine
from kubelet.node_usage import NodeUsageReader
from kubelet.pages import Pages
from kubelet.server import APISERVER, NodeServer
from machinery.client.tls import ClientTls
from machinery.model.errors import (
    BadRequest,
    Forbidden,
    InternalError,
    MethodNotSupported,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from machinery.model.k8s.core_v1 import ContainerStatus, Pod
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL, SystemClock
from machinery.process.faults import PlannedFaults
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.process.z_pages import ZPages
from machinery.rpc.status import RpcError
from machinery.wire.node import SERVICE, SERVICE_PATH
from machinery.wire.node import messages as pb
from machinery.wire.rpc_errors import from_rpc
from machinery.wire.stubs import Stub
from tests.support.builders import changed, pod
from tests.support.stalls import taking
from tests.support.virtual_clock import VirtualClock

PROTOCOL = "v5.channel.k8s.io"
SUCCESS = b'{"status":"Success"}'


def _failure(code: int) -> bytes:
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return json.dumps(
        {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
    ).encode()


class _Streaming:
    """A runtime's streaming server: `cat` until stdin closes, then an exit code."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.sizes: list[dict[str, int]] = []
        self.outcome = SUCCESS
        self.broken = asyncio.Event()  # set: connections are cut without a word

    def url(self, path: str = "/exec/token") -> str:
        return f"http+unix://{quote(str(self._socket), safe='')}{path}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[_Streaming]:
        app = web.Application()
        app.router.add_get("/exec/token", self._exec)
        app.router.add_get("/exec/old", self._speak_nothing)
        app.router.add_get("/exec/silent", self._say_nothing)
        app.router.add_get("/exec/large", self._say_too_much)
        app.router.add_get("/exec/cut", self._cut)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(self._socket)).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _exec(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0)
        await channel.prepare(request)
        await channel.ping(b"are you there")
        await channel.send_bytes(b"\x02ready")
        async for message in channel:
            assert message.type is WSMsgType.BINARY
            kind, data = message.data[0], message.data[1:]
            if kind == 0:
                await channel.send_bytes(b"\x01" + data)
            elif kind == 4:
                self.sizes.append(json.loads(data))
            elif (kind, data) == (255, b"\x00"):
                break
        await channel.send_bytes(b"\x03" + self.outcome)
        await channel.close()
        return channel

    async def _speak_nothing(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse()
        await channel.prepare(request)
        return channel

    async def _say_nothing(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(protocols=(PROTOCOL,), autoclose=False)
        await channel.prepare(request)
        await self.broken.wait()
        return channel

    async def _say_too_much(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(protocols=(PROTOCOL,))
        await channel.prepare(request)
        await channel.send_bytes(bytes(MAX_MESSAGE_BYTES + 1))
        return channel

    async def _cut(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(protocols=(PROTOCOL,))
        await channel.prepare(request)
        assert request.transport
        request.transport.abort()
        return channel


class _Runtime:
    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Any] = []

    async def exec(self, request: cri.ExecRequest) -> str:
        self.asked.append(request)
        return self.url

    async def attach(self, request: cri.AttachRequest) -> str:
        self.asked.append(request)
        return self.url

    async def port_forward(self, sandbox_id: str) -> str:
        self.asked.append(sandbox_id)
        return self.url

    async def exec_sync(
        self, container_id: str, command: Sequence[str], _timeout_s: float
    ) -> cri.ExecSyncResponse:
        self.asked.append((container_id, command))
        code = 3 if command == ["false"] else 0
        return cri.ExecSyncResponse(stdout=b"said\n", stderr=b"oh", exit_code=code)


class _Pods:
    def __init__(self, log: Path) -> None:
        self.ready = "s1"
        self.known = [LoggedContainer("c1", 0, running=True, log_path=str(log))]

    def pod(self, namespace: str, name: str, uid: str) -> Pod | None:
        one = pod("web", "default")
        wanted = (namespace, name, uid or one.metadata.uid)
        return one if wanted == ("default", "web", one.metadata.uid) else None

    def containers(self, _uid: str, _container: str) -> Sequence[LoggedContainer]:
        return self.known

    def sandbox(self, _pod_uid: str) -> str:
        return self.ready


@pytest.fixture
def streaming(tmp_path: Path) -> Iterator[_Streaming]:
    return _Streaming(tmp_path / "s.sock")


async def test_streams_pass_both_ways(streaming: _Streaming):
    """Large input comes back whole, pings are answered, closing stdin ends `cat`."""
    data = bytes(range(256)) * 2000
    async with streaming.serving():
        connection = await connect(streaming.url())
        await connection.resize(80, 24)
        await connection.send_stdin(data)
        await connection.close_stdin()
        received: dict[int, bytes] = {}
        while message := await connection.receive():
            received[message[0]] = received.get(message[0], b"") + message[1]
        await connection.aclose()
    assert received == {2: b"ready", 1: data, 3: SUCCESS}
    assert streaming.sizes == [{"Width": 80, "Height": 24}]


async def test_who_does_not_answer_as_a_streaming_server(streaming: _Streaming):
    """A wrong path, nobody there, an address of another kind."""
    async with streaming.serving():
        with pytest.raises(Unavailable, match="404"):
            await connect(streaming.url("/other"))
        with pytest.raises(Unavailable, match=f"does not speak {PROTOCOL}"):
            await connect(streaming.url("/exec/old"))
    for url in ("http+unix://%2Fnowhere/x", "ftp://x/y"):
        with pytest.raises(Unavailable):
            await connect(url)


async def test_closing_waits_for_nobody(streaming: _Streaming):
    """A server that does not answer the close holds nothing up."""
    async with streaming.serving():
        connection = await connect(streaming.url("/exec/silent"))
        with taking(less_than_s=5):
            await connection.aclose()
        streaming.broken.set()


async def test_a_message_that_is_too_large_ends_the_streams(streaming: _Streaming):
    """A runtime cannot fill the kubelet's memory."""
    async with streaming.serving():
        connection = await connect(streaming.url("/exec/large"))
        with pytest.raises(Unavailable, match="broke"):
            await connection.receive()
        await connection.aclose()


async def test_a_connection_that_is_cut_has_ended(streaming: _Streaming):
    """Nothing comes any more, and nothing can be sent."""
    async with streaming.serving():
        connection = await connect(streaming.url("/exec/cut"))
        assert await connection.receive() is None
        with pytest.raises(Unavailable, match="broke"):
            await connection.send_stdin(b"x")
        await connection.aclose()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (SUCCESS, Exit(0)),
        (_failure(137), Exit(137)),
        (b'{"status":"Failure","message":"no such file","reason":"InternalError"}', Exit(1, "no such file")),
    ],
)
def test_outcomes(status: bytes, expected: Exit):
    """An exit code is no error; a command that could not be run is."""
    assert read_outcome(status) == expected


def test_an_outcome_that_is_no_status():
    """It is an error with its reason."""
    assert read_outcome(b"nonsense").error.startswith("the runtime's streaming server sent no Status")


class _Door:
    def __init__(self, folder: Path, runtime: _Runtime, pages: Pages | None = None) -> None:
        self._pki = Pki(folder)
        self._pki.ensure_authority()
        self._pki.ensure(Certificate("kubelet", "system:node:n", hosts=("127.0.0.1",)))
        self.pods = _Pods(folder / "0.log")
        self.simulated = False
        self._server = NodeServer(
            self.pods, runtime, VirtualClock(), pages=pages, is_simulated=lambda: self.simulated
        )
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[_Door]:
        files = (
            str(self._pki.certificate("kubelet")),
            str(self._pki.key("kubelet")),
            str(self._pki.certificate("ca")),
        )
        server = grpc_server(
            ["127.0.0.1:0"],
            ServerTls(*files),
            [self._server.handler()],
            PlannedFaults(SystemClock()),
            name="kubelet",
        )
        await server.start()
        [self.port] = bound_ports(server)
        try:
            yield self
        finally:
            await server.stop(0)

    @asynccontextmanager
    async def client(self, name: str = APISERVER) -> AsyncIterator[Any]:
        self._pki.ensure(Certificate(name, name))
        tls = ClientTls(
            str(self._pki.certificate("ca")), str(self._pki.certificate(name)), str(self._pki.key(name))
        )
        channel = tls.channel(f"127.0.0.1:{self.port}", WALL)
        try:
            yield Stub(channel, SERVICE, SERVICE_PATH)
        finally:
            await channel.close()


async def _logs(stub: Any, container: pb.ContainerRef, **wishes: Any) -> bytes:
    try:
        call = stub.Logs(pb.LogsRequest(container=container, **wishes), timeout=60)
        return b"".join([chunk.data async for chunk in call])
    except RpcError as error:
        raise from_rpc(error) from error


WEB = pb.ContainerRef(namespace="default", pod="web", container="main")


async def test_only_the_apiserver_is_let_in(tmp_path: Path):
    """Another certificate of the same authority is not enough."""
    async with _Door(tmp_path, _Runtime("")).open() as door, door.client("kubernetes-admin") as stub:
        with pytest.raises(
            Forbidden, match='only the apiserver may ask a kubelet, and "kubernetes-admin" is not it'
        ):
            await _logs(stub, WEB)


async def test_logs(tmp_path: Path):
    """By the pod's name, or by its uid too; what is not here is named."""
    (tmp_path / "0.log").write_text(
        "2026-01-01T00:00:00Z stdout F hello\n2026-01-01T00:00:09Z stderr F bye\n"
    )
    async with _Door(tmp_path, _Runtime("")).open() as door, door.client() as stub:
        assert await _logs(stub, WEB) == b"hello\nbye\n"
        assert await _logs(stub, WEB, stream="Stderr") == b"bye\n"
        assert await _logs(stub, WEB, since_time="2026-01-01T00:00:05Z", tail_lines=5) == b"bye\n"
        with pytest.raises(NotFound):
            await _logs(stub, pb.ContainerRef(namespace="default", pod="web", pod_uid="other"))
        with pytest.raises(BadRequest, match="container x is not valid for pod web"):
            await _logs(stub, pb.ContainerRef(namespace="default", pod="web", container="x"))
        with pytest.raises(BadRequest, match="sinceTime"):
            await _logs(stub, WEB, since_time="yesterday")
        with pytest.raises(BadRequest, match="previous terminated container"):
            await _logs(stub, WEB, previous=True)


def _inputs(*inputs: pb.StreamInput, stdin: bool = True, **start: Any) -> list[pb.StreamInput]:
    begin = pb.StreamStart(container=WEB, command=["cat"], stdin=stdin, stdout=True, **start)
    return [pb.StreamInput(start=begin), *inputs]


async def _exec(stub: Any, inputs: list[pb.StreamInput]) -> list[pb.StreamOutput]:
    try:
        call = stub.Exec(timeout=60)
        for each in inputs:
            await call.write(each)
        return [message async for message in call]
    except RpcError as error:
        raise from_rpc(error) from error


async def test_exec_passes_streams_and_the_exit_code(tmp_path: Path, streaming: _Streaming):
    """Half-closing stdin lets the command end; its code is the last message."""
    streaming.outcome = _failure(3)
    runtime = _Runtime(streaming.url())
    async with streaming.serving(), _Door(tmp_path, runtime).open() as door, door.client() as stub:
        sent = _inputs(
            pb.StreamInput(stdin=b"abc"),
            pb.StreamInput(resize=pb.TerminalSize(width=9, height=8)),
            pb.StreamInput(close_stdin=True),
            tty=True,
            stderr=True,
        )
        *outputs, last = await _exec(stub, sent)
    assert b"".join(message.stdout for message in outputs) == b"abc"
    assert (last.exit.code, last.exit.error) == (3, "")
    assert streaming.sizes == [{"Width": 9, "Height": 8}]
    [asked] = runtime.asked
    assert (asked.container_id, list(asked.cmd), asked.tty, asked.stderr) == ("c1", ["cat"], True, False)


async def test_a_client_that_goes_away_ends_the_streams(tmp_path: Path, streaming: _Streaming):
    """Nothing is left open at the runtime."""
    async with (
        streaming.serving(),
        _Door(tmp_path, _Runtime(streaming.url())).open() as door,
        door.client() as stub,
    ):
        call = stub.Exec(timeout=60)
        await call.write(_inputs()[0])
        assert (await call.read()).stderr == b"ready"
        call.cancel()
        async with asyncio.timeout(60):
            while len([task for task in asyncio.all_tasks() if "_pump_input" in repr(task)]) > 0:
                await asyncio.sleep(0.01)


async def test_what_cannot_be_run(tmp_path: Path, streaming: _Streaming):
    """No command, no container that runs, a stream that does not begin with its start."""
    async with _Door(tmp_path, _Runtime(streaming.url())).open() as door, door.client() as stub:
        with pytest.raises(Unavailable, match="streaming server does not answer"):
            await _exec(stub, _inputs())
        with pytest.raises(BadRequest, match="has to be its start"):
            await _exec(stub, [pb.StreamInput(stdin=b"x")])
        with pytest.raises(BadRequest, match="exec needs a command"):
            await _exec(stub, [pb.StreamInput(start=pb.StreamStart(container=WEB))])
        door.pods.known = []
        with pytest.raises(NotFound, match='container not found \\("main"\\)'):
            await _exec(stub, _inputs())


class _Upgrading:
    """A runtime's streaming server that upgrades what asks for it by a POST, and echoes it in capitals."""

    def __init__(self, socket: Path, status: str = "101 Switching Protocols") -> None:
        self.socket = socket
        self.status = status
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self.status}\r\nX-Stream-Protocol-Version: v\r\n\r\n".encode())
        if self.status.startswith("101"):
            while data := await reader.read(65536):
                writer.write(data.upper())
            writer.write(b"over")
        else:
            writer.write(b"not so\n")
        writer.close()


async def _tunnel(stub: Any, target: str, *messages: Any) -> list[Any]:
    start = pb.StreamStart(container=WEB, command=["x"], stdout=True)
    headers = [pb.Header(name="Upgrade", value="SPDY/3.1"), pb.Header(name="A", value="b")]
    streams = pb.RuntimeStreams(start=start, query="port=1", headers=headers)
    return await _heard(stub, pb.TunnelInput(start=pb.TunnelStart(**{target: streams})), *messages)


async def _heard(stub: Any, *messages: Any) -> list[Any]:
    """Send some messages; return what comes back."""
    call = stub.Tunnel(timeout=30)
    for message in messages:
        await call.write(message)
    try:
        return [message async for message in call]
    except RpcError as error:
        raise from_rpc(error) from error


@pytest.mark.parametrize("target", ["exec", "attach", "port_forward"])
async def test_a_tunnel_carries_every_byte_of_what_the_runtime_upgrades(tmp_path: Path, target: str):
    """Headers and query go there, the answer's headers come back; the end of what is sent is not the end of the rest."""
    there = _Upgrading(tmp_path / "s.sock")
    runtime = _Runtime(f"http+unix://{quote(str(there.socket), safe='')}/x/token")
    async with (
        await asyncio.start_unix_server(there.serve, there.socket),
        _Door(tmp_path, runtime).open() as door,
        door.client() as stub,
    ):
        sent = [pb.TunnelInput(data=b"a" * 100_000), pb.TunnelInput(end=True)]
        opened, *rest = await _tunnel(stub, target, *sent)
    assert [(each.name, each.value) for each in opened.opened.headers] == [("X-Stream-Protocol-Version", "v")]
    assert b"".join(each.data for each in rest) == b"A" * 100_000 + b"over"
    assert there.heads[0].startswith("POST /x/token?port=1 HTTP/1.1\r\n")
    assert "\r\nUpgrade: SPDY/3.1\r\nA: b\r\n" in there.heads[0]


async def test_a_tunnel_that_cannot_be(tmp_path: Path):
    """The runtime's own word for it is passed on; a pod without a sandbox has no ports."""
    there = _Upgrading(tmp_path / "s.sock", "403 Forbidden")
    runtime = _Runtime(f"http+unix://{quote(str(there.socket), safe='')}/x/token")
    async with _Door(tmp_path, runtime).open() as door, door.client() as stub:
        with pytest.raises(Unavailable, match="streaming server does not answer"):
            await _tunnel(stub, "port_forward")
        async with await asyncio.start_unix_server(there.serve, there.socket):
            with pytest.raises(Forbidden, match="not so"):
                await _tunnel(stub, "port_forward")
        door.pods.ready = ""
        with pytest.raises(NotFound, match="has no sandbox that runs"):
            await _tunnel(stub, "port_forward")
        with pytest.raises(BadRequest, match="has to be its start"):
            await _heard(stub, pb.TunnelInput(data=b"x"))


async def test_an_address_is_connected_to_from_the_node(tmp_path: Path):
    """Bytes go both ways, and half-closing ends one of them; what refuses is told in Go's words."""
    there = await asyncio.start_server(_shout, "127.0.0.1", 0)
    port = there.sockets[0].getsockname()[1]
    async with _Door(tmp_path, _Runtime("")).open() as door, door.client() as stub:
        async with there:
            opened, *rest = await _heard(
                stub,
                pb.TunnelInput(start=_address(port)),
                pb.TunnelInput(data=b"a" * 100_000),
                pb.TunnelInput(end=True),
            )
        assert opened.WhichOneof("output") == "opened"
        assert b"".join(each.data for each in rest) == b"A" * 100_000 + b"over"
        [failed] = await _heard(stub, pb.TunnelInput(start=_address(port)))
        assert failed.failed == f"dial tcp 127.0.0.1:{port}: connect: connection refused"
        door.simulated = True
        [failed] = await _heard(stub, pb.TunnelInput(start=_address(port)))
        assert "simulated by the hollow runtime" in failed.failed


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())
    writer.write(b"over")
    writer.close()


def _address(port: int) -> Any:
    return pb.TunnelStart(address=pb.Address(host="127.0.0.1", port=port))


def _running(name: str, container_id: str) -> ContainerStatus:
    return ContainerStatus(
        name=name, image="i", imageID="", ready=True, restartCount=0, containerID=container_id
    )


class _Stats:
    """A runtime that knows one pod's use."""

    async def image_fs(self) -> list[Any]:
        return [cri.FilesystemUsage(timestamp=10**18, used_bytes=cri.UInt64Value(value=77))]

    async def checkpoint_container(self, container_id: str, _location: str) -> None:
        assert container_id == "c1"
        raise NotImplementedHere("CRIU")

    async def sandbox_stats(self) -> list[Any]:
        cpu = cri.CpuUsage(timestamp=10**18, usage_core_nano_seconds=cri.UInt64Value(value=2_500_000_000))
        memory = cri.MemoryUsage(timestamp=10**18, working_set_bytes=cri.UInt64Value(value=4096))
        meta = cri.PodSandboxMetadata(name="web", namespace="default", uid="u")
        main = cri.ContainerAttributes(metadata=cri.ContainerMetadata(name="main"))
        inside = [cri.ContainerStats(attributes=main, cpu=cpu, memory=memory)]
        return [
            cri.PodSandboxStats(
                attributes=cri.PodSandboxAttributes(metadata=meta),
                linux=cri.LinuxPodSandboxStats(cpu=cpu, memory=memory, containers=inside),
            )
        ]


async def _written() -> dict[str, PodDisk]:
    disk = PodDisk({"main": ContainerDisk(Space(7, 1), Space(3, 2))}, {"cache": Space(300, 1)})
    return {"u": disk}


async def test_the_pages_of_a_kubelet(tmp_path: Path):
    """Each with its type; what Kubernetes has beyond them is not built, everything else is not found."""
    log = tmp_path / "logs" / "default_web_u" / "main" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"line" * 50_000)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "logs" / "way-out").symlink_to(tmp_path / "secret")
    machine = read_machine(tmp_path)
    pages = Pages(
        node_name="n",
        started="2026-01-01T00:00:00Z",
        configuration={"kind": "KubeletConfiguration"},
        logs=tmp_path / "logs",
        runtime=_Stats(),
        pods=lambda: [
            changed(pod("web", "default"), status__containerStatuses=[_running("main", "docker://c1")])
        ],
        metrics=lambda: "up 1\n",
        usage=NodeUsageReader(Cgroups(""), machine, tmp_path, WALL).read,
        probe_metrics=lambda: "probes 1\n",
        machine=machine,
        local_volumes=LocalVolumes(tmp_path / "local-volumes"),
        checkpoints=tmp_path / "checkpoints",
        now=lambda: "2026-01-01T00:00:00Z",
        z_pages=ZPages("kubelet", WALL, {"node_ip": "192.0.2.7", "check_invariants": False}, ("/healthz",)),
        volumes=lambda: [VolumeUsage("u", "disk", "default", "data", Disk(100, 60, 40, 10, 9))],
        disks=_written,
    )
    door = _Door(tmp_path, _Runtime(""), pages)
    async with door.open(), door.client() as stub:

        async def read(path: str, method: str = "GET") -> tuple[str, bytes]:
            call = stub.Page(pb.PageRequest(method=method, path=path), timeout=30)
            try:
                head, *rest = [chunk async for chunk in call]
            except RpcError as error:
                raise from_rpc(error) from error
            assert head.head.status == 200
            return head.head.content_type, b"".join(chunk.data for chunk in rest)

        assert await read("/healthz") == ("text/plain; charset=utf-8", b"ok")
        assert (await read("/metrics"))[1] == b"up 1\n"
        type_, body = await read("/stats/summary")
        told = json.loads(body)
        assert (type_, told["node"]["nodeName"]) == ("application/json", "n")
        _check_node(told["node"], machine)
        used = {"time": "2001-09-09T01:46:40Z"}
        [told_pod] = told["pods"]
        assert told_pod["podRef"] == {"name": "web", "namespace": "default", "uid": "u"}
        volume, own_volume = told_pod["volume"]
        assert (own_volume["name"], own_volume["usedBytes"], "pvcRef" in own_volume) == ("cache", 300, False)
        assert (told_pod["ephemeral-storage"]["usedBytes"], own_volume["capacityBytes"]) == (
            310,
            told["node"]["fs"]["capacityBytes"],
        )
        [container] = told_pod["containers"]
        assert (container["rootfs"]["usedBytes"], container["logs"]["inodesUsed"]) == (7, 2)
        assert (volume["name"], volume["pvcRef"]["name"], volume["usedBytes"]) == ("disk", "data", 40)
        assert told_pod["cpu"] == {**used, "usageCoreNanoSeconds": 2_500_000_000}
        assert told_pod["containers"][0]["memory"] == {**used, "workingSetBytes": 4096}
        metrics = (await read("/metrics/resource"))[1].decode()
        labelled = 'container="main",namespace="default",pod="web"'
        assert f"container_cpu_usage_seconds_total{{{labelled}}} 2.5 1000000000000\n" in metrics
        status, flags = (await read("/statusz"))[1].decode(), (await read("/flagz"))[1].decode()
        assert status.startswith("kubelet statusz\n")
        assert "\nBinary version: 1.36.0\n" in status
        assert flags.endswith("\ncheck-invariants=false\nnode-ip=192.0.2.7\n")
        cadvisor = (await read("/metrics/cadvisor"))[1].decode()
        assert 'container_memory_working_set_bytes{container="main",id=""' in cadvisor
        assert f"machine_memory_bytes {machine.memory_bytes}\n" in cadvisor
        assert (await read("/metrics/probes"))[1] == b"probes 1\n"
        assert json.loads((await read("/runningpods/"))[1])["items"] == []
        assert "\nnode_cpu_usage_seconds_total " in metrics
        assert "\nnode_memory_working_set_bytes " in metrics
        assert "\nresource_scrape_error 0\n" in metrics
        assert json.loads((await read("/pods"))[1])["items"][0]["metadata"]["name"] == "web"
        assert json.loads((await read("/configz"))[1])["kubeletconfig"]["kind"] == "KubeletConfiguration"
        assert (await read("/logs/"))[1] == b'<pre>\n<a href="pods/">pods/</a>\n</pre>\n'
        assert b"main/" in (await read("/logs/pods/default_web_u"))[1]
        assert (await read("/logs/pods/default_web_u/main/0.log"))[1] == b"line" * 50_000
        for path in ("/logs/pods/../../secret", "/logs/pods/way-out", "/logs/syslog", "/none"):
            with pytest.raises(NotFound):
                await read(path)
        with pytest.raises(NotImplementedHere):
            await read("/debug/pprof/")
        with pytest.raises(MethodNotSupported):
            await read("/checkpoint/default/web/main")
        for path, why in (
            ("other/main", "pod does not exist"),
            ("web/other", "container other does not exist"),
        ):
            with pytest.raises(NotFound, match=why):
                await read(f"/checkpoint/default/{path}", "POST")
        with pytest.raises(NotImplementedHere, match="checkpointing of default/web/main failed \\(CRIU\\)"):
            await read("/checkpoint/default/web/main", "POST")
        with pytest.raises(MethodNotSupported):
            await read("/healthz", "POST")


def _check_node(told: dict[str, Any], machine: Machine) -> None:
    """Check the totals against what the machine says."""
    memory, disk = told["memory"], told["fs"]
    assert 0 < memory["workingSetBytes"] < machine.memory_bytes
    assert memory["availableBytes"] == machine.memory_bytes - memory["workingSetBytes"]
    assert told["cpu"]["usageCoreNanoSeconds"] > 0
    assert 0 < disk["availableBytes"] + disk["usedBytes"] <= disk["capacityBytes"]
    assert disk["inodesUsed"] == disk["inodes"] - disk["inodesFree"]
    assert "lo" not in {each["name"] for each in told["network"]["interfaces"]}
    assert 0 < told["rlimit"]["curproc"] < told["rlimit"]["maxpid"]
    assert told["runtime"]["imageFs"] == {"time": "2001-09-09T01:46:40Z", "usedBytes": 77}


async def test_the_pages_about_containers(tmp_path: Path):
    """A log with its options, a command with what it says; sessions are for connections that are upgraded."""
    runtime = _Runtime("")
    door = _Door(tmp_path, runtime)
    (tmp_path / "0.log").write_text("".join(f"2026-01-01T00:00:0{n}Z stdout F line {n}\n" for n in range(5)))
    async with door.open(), door.client() as stub:

        async def read(path: str, query: str = "", method: str = "GET") -> bytes:
            call = stub.Page(pb.PageRequest(method=method, path=path, query=query), timeout=30)
            try:
                return b"".join([chunk.data async for chunk in call])
            except RpcError as error:
                raise from_rpc(error) from error

        log, run = "/containerLogs/default/web/main", "/run/default/web/main"
        assert await read(log, "tailLines=1&timestamps=true") == b"2026-01-01T00:00:04Z line 4\n"
        assert await read(log, "limitBytes=6&tailLines=all") == b"line 0"
        assert await read(run, "cmd=echo+a", "POST") == b"said\noh"
        assert await read(f"/run/default/web/{pod('web').metadata.uid}/main", "cmd=x", "POST") == b"said\noh"
        assert runtime.asked == [("c1", ["echo", "a"]), ("c1", ["x"])]
        for path, query, method, error, words in (
            (log, "tailLines=-1", "GET", BadRequest, "tailLines has to be a number"),
            (log, "follow=maybe", "GET", BadRequest, "follow has to be true or false"),
            ("/containerLogs/default/web/other", "", "GET", BadRequest, "container other is not valid"),
            ("/containerLogs/default/none/main", "", "GET", NotFound, "does not exist on this node"),
            (run, "cmd=false", "POST", InternalError, "command 'false' exited with 3: oh"),
            (run, "", "POST", BadRequest, "specify a command"),
            (run, "cmd=x", "GET", MethodNotSupported, "does not take GET"),
            ("/exec/default/web/main", "command=x&output=1", "POST", BadRequest, "Upgrade request required"),
        ):
            with pytest.raises(error, match=words):
                await read(path, query, method)
        assert len(runtime.asked) == 3
