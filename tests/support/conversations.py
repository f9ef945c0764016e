"""Every conversation of the components, each through its seam's adapter and with a real other end.

A `Conversation` says how to make a call that can be seen at the far end, and how to open a stream that can be made to
say something. Both raise `ApiError`, whatever the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from apiserver.storage.seam import READING
from dockershim import seam_engine, seam_plugins
from dockershim.cni_plugin import run_plugin
from dockershim.docker import Engine
from dockershim.engine_connection import EngineCall, EngineConnection
from machinery.client import seam_channel
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.fault_plan import Fault, FaultPlan, Rule
from machinery.model.seam import Ends, Seam, compose
from machinery.pb import cri_pb2, etcd_pb2, node_pb2
from machinery.process.clock import WALL, SystemClock
from machinery.process.faults import PlannedFaults
from machinery.process.recorder import Recorder
from machinery.process.server import grpc_server
from machinery.rpc.channel import Channel
from machinery.wire.cause_headers import request_metadata
from machinery.wire.rpc_errors import api_errors
from machinery.wire.services import handler
from machinery.wire.stubs import Stub, unix_channel
from tests.support.apiserver import Served
from tests.support.client_doors import config_map
from tests.support.cri_servers import DOCKER, IMAGE, CriServer, connected
from tests.support.waiting import pause

PLUGINS = next((folder for folder in ("/usr/lib/cni", "/opt/cni/bin") if Path(folder).is_dir()), "")
_numbers = count(1)

Next = Callable[[], Awaitable[Any]]


@dataclass
class Conversation:
    """One conversation. `call(timeout_s)` is seen at the far end, as often as `seen()` says."""

    ends: Ends
    faults: PlannedFaults
    recorder: Recorder
    method: str = ""
    about: str = ""
    call: Callable[[float], Awaitable[Any]] | None = None
    seen: Callable[[], Awaitable[int]] | None = None
    sent: Callable[[], int] | None = None  # how often the adapter made the call; where `seen` cannot tell
    stream_method: str = ""
    stream: Callable[[], AbstractAsyncContextManager[Next]] | None = None
    provoke: Callable[[], Awaitable[Any]] | None = None  # makes the stream say something
    call_s: float = 2.5  # wall seconds in which a healthy call is over, on a busy machine as well

    def plan(self, fault: Fault, method: str, **fields: Any) -> FaultPlan:
        """Write a plan with one rule about one method of this conversation."""
        caller, callee, protocol, side = self.ends
        return FaultPlan((Rule(fault, caller, callee, protocol, method, side, **fields),))


def seams() -> tuple[PlannedFaults, Recorder, Seam]:
    """Make what a conversation passes: a recorder in front of a fault plan."""
    clock = SystemClock()
    faults, recorder = PlannedFaults(clock), Recorder(clock)
    seam = compose(recorder, faults)
    assert seam is not None
    return faults, recorder, seam


# --- the apiserver, from its clients' side and from its own


@contextlib.asynccontextmanager
async def component_client(served: Served, transport: str) -> AsyncIterator[Conversation]:
    """The component client: "resources" over gRPC, or "rest"."""
    faults, recorder, seam = seams()
    ends = Ends("scheduler", "apiserver", "resources" if transport == "grpc" else "rest")
    api = served.connect(transport, caller="scheduler", seam=seam)
    healthy = served.connect(transport)
    try:
        yield _of_api(ends, faults, recorder, api, healthy)
    finally:
        await api.aclose()
        await healthy.aclose()


@contextlib.asynccontextmanager
async def apiserver_door(served: Served, transport: str) -> AsyncIterator[Conversation]:
    """A door of the apiserver, which was told to record its messages and may be given a plan."""
    process = served.process
    assert process.recorder is not None
    ends = Ends("scheduler", "apiserver", "resources" if transport == "grpc" else "rest", "server")
    api = served.connect(transport, caller="scheduler")
    healthy = served.connect("rest" if transport == "grpc" else "grpc", caller="admin")
    try:
        yield _of_api(ends, process.faults, process.recorder, api, healthy)
    finally:
        await api.aclose()
        await healthy.aclose()


def _of_api(ends: Ends, faults: PlannedFaults, recorder: Recorder, api: Api, healthy: Api) -> Conversation:
    async def call(timeout_s: float) -> Any:
        return await api.create(kinds.CONFIG_MAPS, config_map("", generateName="seen-"), timeout_s=timeout_s)

    async def seen() -> int:
        found = (await healthy.list(kinds.CONFIG_MAPS)).items
        return sum(each.metadata.name.startswith("seen-") for each in found)

    @contextlib.asynccontextmanager
    async def stream() -> AsyncIterator[Next]:
        start = str((await healthy.list(kinds.CONFIG_MAPS)).revision)
        async with contextlib.aclosing(api.watch(kinds.CONFIG_MAPS, resource_version=start)) as batches:

            async def told() -> Any:
                while not (batch := await anext(batches)):
                    pass  # the first one only says that the watch is established
                return batch

            yield told

    async def provoke() -> None:
        await healthy.create(kinds.CONFIG_MAPS, config_map(f"told-{next(_numbers)}"))

    return Conversation(
        ends, faults, recorder, "Create", "configmaps/default", call, seen, None, "Watch", stream, provoke
    )


# --- gRPC channels: node, cri, etcd


class CountingChannel:
    """A channel that counts the calls that are made on it."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, path: str, **codecs: Any) -> Any:
        bare = self._channel.unary_unary(path, **codecs)

        def call(request: Any, **options: Any) -> Any:
            self.calls[path.rsplit("/", 1)[-1]] += 1
            return bare(request, **options)

        return call


class TalkativeKubelet:
    """A kubelet whose containers say what they are told to."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard: list[bytes] = []

    async def Logs(self, _request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        while True:
            yield node_pb2.LogChunk(data=await self.lines.get())

    async def Exec(self, inputs: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        async for each in inputs:
            self.heard.append(each.stdin)
            yield node_pb2.StreamOutput(stdout=each.stdin)


@contextlib.asynccontextmanager
async def echoing_kubelet() -> AsyncIterator[tuple[TalkativeKubelet, Stub, PlannedFaults]]:
    """A kubelet whose commands say what they hear, a client of it, and the plan that is between them."""
    faults, _, seam = seams()
    kubelet, service = TalkativeKubelet(), node_pb2.DESCRIPTOR.services_by_name["Node"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = f"{folder}/node.sock"
        server = grpc_server(
            [f"unix:{path}"], None, [handler(service, "kubarium.node.v1.Node", kubelet)], name="kubelet"
        )
        await server.start()
        channel = seam_channel.through(unix_channel(path, WALL), seam, Ends("apiserver", "kubelet", "node"))
        try:
            yield kubelet, Stub(channel, service, "kubarium.node.v1.Node"), faults
        finally:
            await channel.close()
            await server.stop(None)


@contextlib.asynccontextmanager
async def node_service(side: str) -> AsyncIterator[Conversation]:
    """The apiserver's conversation with a kubelet, which is streams only."""
    faults, recorder, seam = seams()
    kubelet, service = TalkativeKubelet(), node_pb2.DESCRIPTOR.services_by_name["Node"]
    own = {"client": seam}.get(side), {"server": seam}.get(side)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = f"{folder}/node.sock"
        handlers = [handler(service, "kubarium.node.v1.Node", kubelet)]
        server = grpc_server([f"unix:{path}"], None, handlers, own[1], name="kubelet@node-1")
        await server.start()
        ends = Ends("apiserver", "kubelet@node-1", "node", "server" if side == "server" else "client")
        channel = seam_channel.through(unix_channel(path, WALL), own[0], ends)
        stub = Stub(channel, service, "kubarium.node.v1.Node")

        @contextlib.asynccontextmanager
        async def stream() -> AsyncIterator[Next]:
            request = node_pb2.LogsRequest(container=node_pb2.ContainerRef(namespace="default", pod="web"))
            call = stub.Logs(request, metadata=request_metadata("apiserver"))
            try:
                yield lambda: _read(call)
            finally:
                call.cancel()

        async def provoke() -> None:
            kubelet.lines.put_nowait(b"line\n")

        try:
            yield Conversation(
                ends,
                faults,
                recorder,
                about="pods/default/web",
                stream_method="Logs",
                stream=stream,
                provoke=provoke,
            )
        finally:
            await channel.close()
            await server.stop(None)


@contextlib.asynccontextmanager
async def container_runtime(server: CriServer) -> AsyncIterator[Conversation]:
    """The kubelet's conversation with a CRI server."""
    faults, recorder, seam = seams()
    ends = Ends("kubelet@node-1", "cri@node-1", "cri")
    channel = CountingChannel(unix_channel(str(server.socket), WALL))
    passed = seam_channel.through(channel, seam, ends)
    stub = Stub(passed, cri_pb2.DESCRIPTOR.services_by_name["RuntimeService"], "runtime.v1.RuntimeService")
    async with connected(server) as client:
        await client.use_pod_range()
        config = client.sandbox_config()

        async def call(timeout_s: float) -> Any:
            with api_errors():
                return await stub.RunPodSandbox(
                    cri_pb2.RunPodSandboxRequest(config=config),
                    timeout=timeout_s,
                    metadata=request_metadata("kubelet@node-1"),
                )

        async def seen() -> int:
            chosen = cri_pb2.PodSandboxFilter(label_selector={"io.kubernetes.pod.uid": config.metadata.uid})
            return len((await client.call("ListPodSandbox", filter=chosen)).items)

        @contextlib.asynccontextmanager
        async def stream() -> AsyncIterator[Next]:
            events = stub.GetContainerEvents(cri_pb2.GetEventsRequest())
            try:
                yield lambda: _read(events)
            finally:
                events.cancel()

        async def provoke() -> None:
            await client.run_sandbox()

        about = f"pods/{config.metadata.namespace}/{config.metadata.name}"
        yield Conversation(
            ends,
            faults,
            recorder,
            "RunPodSandbox",
            about,
            call,
            seen,
            lambda: channel.calls["RunPodSandbox"],
            "GetContainerEvents",
            stream,
            provoke,
            call_s=6.0 if client.is_real else 2.5,
        )
    await channel.close()


@contextlib.asynccontextmanager
async def etcd_member(address: str) -> AsyncIterator[Conversation]:
    """The apiserver's conversation with etcd."""
    faults, recorder, seam = seams()
    ends = Ends("apiserver", "etcd", "etcd")
    channel, services = Channel(address, WALL), etcd_pb2.DESCRIPTOR.services_by_name
    passed = seam_channel.through(channel, seam, ends, READING)
    kv = Stub(passed, services["KV"], "etcdserverpb.KV")
    watches = Stub(passed, services["Watch"], "etcdserverpb.Watch")
    healthy = Stub(channel, services["KV"], "etcdserverpb.KV")
    key = f"/registry/seam/{os.getpid()}-{next(_numbers)}".encode()

    def write(name: bytes) -> Any:
        put = etcd_pb2.RequestOp(request_put=etcd_pb2.PutRequest(key=name, value=b"x"))
        always = etcd_pb2.Compare(
            target=etcd_pb2.Compare.MOD, result=etcd_pb2.Compare.GREATER, key=name, mod_revision=-1
        )
        return etcd_pb2.TxnRequest(compare=[always], success=[put])

    async def call(timeout_s: float) -> Any:
        with api_errors():
            return await kv.Txn(write(key), timeout=timeout_s)

    async def seen() -> int:
        found = (await healthy.Range(etcd_pb2.RangeRequest(key=key), timeout=60)).kvs
        return int(found[0].version) if found else 0

    @contextlib.asynccontextmanager
    async def stream() -> AsyncIterator[Next]:
        watch = watches.Watch()
        wanted = etcd_pb2.WatchCreateRequest(key=key + b"/", range_end=key + b"0")

        async def told() -> Any:
            if not begun:
                begun.append(True)
                with api_errors():
                    await watch.write(etcd_pb2.WatchRequest(create_request=wanted))
            while not (answer := await _read(watch)).events:
                pass
            return answer

        begun: list[bool] = []
        try:
            yield told
        finally:
            watch.cancel()

    async def provoke() -> None:
        for _ in range(20):  # the watch may not be there yet
            await healthy.Txn(write(key + b"/told"), timeout=60)
            await pause(0.01, "the watch may be there by then")

    try:
        yield Conversation(
            ends, faults, recorder, "Txn", key.decode(), call, seen, None, "Watch", stream, provoke
        )
    finally:
        await channel.close()


async def _read(call: Any) -> Any:
    with api_errors():
        message = await call.read()
    assert message is not None
    return message


# --- dockershim: the engine and the CNI plugins


class CountingConnection(EngineConnection):
    """A connection to the engine that counts its calls."""

    def __init__(self, socket: str) -> None:
        super().__init__(socket, SystemClock())
        self.calls: Counter[str] = Counter()

    async def call(self, call: EngineCall, timeout_s: float | None) -> bytes:
        self.calls[call.operation] += 1
        return await super().call(call, timeout_s)


@contextlib.asynccontextmanager
async def docker_engine() -> AsyncIterator[Conversation]:
    """Dockershim's conversation with the engine."""
    faults, recorder, seam = seams()
    bare = CountingConnection(DOCKER)
    passed = seam_engine.through(bare, seam, "dockershim@node-1")
    engine, healthy = Engine(passed), Engine(bare)
    label = f"kubarium.dev/seam={os.getpid()}-{next(_numbers)}"
    body = {"Image": IMAGE, "Cmd": ["true"], "Labels": dict([label.split("=")])}
    container = await healthy.create(f"seam-{os.getpid()}-{next(_numbers)}", body)

    async def call(timeout_s: float) -> Any:
        return await passed.call(EngineCall("POST", "containers", container, "start"), timeout_s)

    async def seen() -> int:
        return int(not (await healthy.inspect(container))["State"]["StartedAt"].startswith("0001"))

    @contextlib.asynccontextmanager
    async def stream() -> AsyncIterator[Next]:
        async with engine.events([label], f"{time.time() - 1:.9f}") as events:
            yield lambda: anext(events)

    async def provoke() -> None:
        made = await healthy.create(f"seam-{os.getpid()}-{next(_numbers)}", body)
        await healthy.remove(made)

    try:
        yield Conversation(
            Ends("dockershim@node-1", "docker", "docker"),
            faults,
            recorder,
            "POST containers/start",
            f"containers/{container}",
            call,
            seen,
            lambda: bare.calls["POST containers/start"],
            "GET events",
            stream,
            provoke,
            call_s=6.0,
        )
    finally:
        for each in await healthy.containers([label]):
            await healthy.remove(each["Id"])
        await bare.aclose()


@contextlib.asynccontextmanager
async def cni_plugins() -> AsyncIterator[Conversation]:
    """Dockershim's calls of the CNI plugins: host-local, which gives an address out and writes down to whom."""
    faults, recorder, seam = seams()
    calls: Counter[str] = Counter()

    async def counting(program: str, stdin: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
        calls[Path(program).name] += 1
        return await run_plugin(program, stdin, environment, clock=SystemClock())

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        ipam = {"type": "host-local", "subnet": "10.77.0.0/24", "dataDir": folder}
        config = json.dumps({"cniVersion": "0.4.0", "name": "seam", "ipam": ipam}).encode()
        environment = {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": "0123",
            "CNI_NETNS": "/proc/self/ns/net",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": PLUGINS,
        }

        async def call(timeout_s: float) -> Any:
            passed = seam_plugins.through(counting, seam, "dockershim@node-1", timeout_s)
            return await passed(f"{PLUGINS}/host-local", config, environment)

        async def seen() -> int:
            return _addresses_given(Path(folder))

        yield Conversation(
            Ends("dockershim@node-1", "cni", "cni"),
            faults,
            recorder,
            "ADD host-local",
            "sandboxes/0123",
            call,
            seen,
            lambda: calls["host-local"],
        )


def _addresses_given(folder: Path) -> int:
    return len(list((folder / "seam").glob("10.77.*")))
