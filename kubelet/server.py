# ruff: noqa: N802 - methods are named as the protocol names its RPCs
"""The kubelet's own door: logs, exec, attach and port-forward, for the apiserver and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from kubelet.core.log_lines import LoggedContainer, LogWishes, choose_log, nanoseconds
from kubelet.core.usage import PodWindows, Window, Windows
from kubelet.exec_streams import Channel, StreamConnection, connect, read_outcome
from kubelet.logs import LogRange, read_log
from kubelet.page_queries import command_of, log_request
from kubelet.pages import Pages, pieces
from kubelet.tunnels import Connection, DialError, carry, dialled, upgraded
from machinery.model.clock import Clock
from machinery.model.errors import (
    BadRequest,
    Forbidden,
    InternalError,
    MethodNotSupported,
    NotFound,
    NotImplementedHere,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.kubelet_paths import PodPath, read_pod_path
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri
from machinery.process.server import peer
from machinery.wire.node import SERVICE, SERVICE_PATH
from machinery.wire.node import messages as pb
from machinery.wire.services import ServiceHandler, handler

__all__ = ["APISERVER", "LoggedContainer", "NodeServer", "PodLookup", "StreamRuntime"]

APISERVER: Final = "kube-apiserver-kubelet-client"  # the common name of the only client that is let in
_SIMULATED: Final = "containers are simulated by the hollow runtime: no process listens"
_TEXT: Final = "text/plain; charset=utf-8"
_LONGEST_RUN_S: Final = 120.0  # wall seconds of a command whose output is waited for
_STREAMS: Final = {"": "", "All": "", "Stdout": "stdout", "Stderr": "stderr"}


class StreamRuntime(Protocol):
    """What this needs of the CRI client."""

    async def exec(self, request: cri.ExecRequest) -> str:
        """Prepare a command in a container; return the URL of its streams."""
        ...

    async def attach(self, request: cri.AttachRequest) -> str:
        """Prepare an attachment to a container's main process; return the URL of its streams."""
        ...

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> cri.ExecSyncResponse:
        """Run a command to its end, for so many wall seconds at most."""
        ...

    async def port_forward(self, sandbox_id: str) -> str:
        """Prepare connections to ports of a sandbox; return the URL of their streams."""
        ...


class PodLookup(Protocol):
    """What the pod workers know."""

    def pod(self, namespace: str, name: str, uid: str) -> Pod | None:
        """Return a pod of this node, with the status that the kubelet knows; uid "" for whichever has the name."""
        ...

    def containers(self, pod_uid: str, container: str) -> Sequence[LoggedContainer]:
        """Return the attempts at a container that still exist, the newest first."""
        ...

    def sandbox(self, pod_uid: str) -> str:
        """Return the id of the pod's sandbox, if it is ready; else ""."""
        ...


class NodeServer:
    """One method per RPC; what is not here answers UNIMPLEMENTED and says so."""

    def __init__(
        self,
        pods: PodLookup,
        runtime: StreamRuntime,
        clock: Clock,
        log: EventLog = SILENT,
        *,
        pages: Pages | None = None,
        usage: Callable[[], Awaitable[Windows]] | None = None,
        is_simulated: Callable[[], bool] = lambda: False,
    ) -> None:
        self._pods = pods
        self._runtime = runtime
        self._clock = clock
        self._log = log
        self._pages = pages
        self._usage = usage
        self._is_simulated = (
            is_simulated  # whether no process listens at a pod's address, nor may a packet leave
        )

    def handler(self) -> ServiceHandler:
        """Return what a gRPC server serves."""
        return handler(SERVICE, SERVICE_PATH, self)

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Send a container's log, following it if asked to.

        Raises:
            Forbidden: the caller is not the apiserver.
            BadRequest: the pod has no such container, or no log of that attempt.
            NotFound: the pod is not on this node.
        """
        _admit(context)
        async for chunk in self._log_chunks(request):
            yield pb.LogChunk(data=chunk)

    async def _log_chunks(self, request: Any) -> AsyncIterator[bytes]:
        pod = self._pod(request.container)
        name = _container_name(pod, request.container)
        known = self._pods.containers(pod.metadata.uid, name)
        chosen = choose_log(pod, name, known, previous=request.previous)
        wishes = self._wishes(request)
        part = LogRange(
            tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
            limit_bytes=request.limit_bytes if request.HasField("limit_bytes") else None,
            follow=request.follow,
        )

        def is_running() -> bool:
            attempts = self._pods.containers(pod.metadata.uid, name)
            return any(attempt.id == chosen.id and attempt.running for attempt in attempts)

        async for chunk in read_log(Path(chosen.log_path), wishes, part, is_running):
            yield chunk

    async def Exec(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Run a command in a container and pass its streams through; the last message is how it ended.

        Raises:
            Forbidden: the caller is not the apiserver.
            BadRequest: there is no command, or the first message is not a start.
            NotFound: the pod is not on this node, or its container does not run.
            ApiError: what the runtime answers.
        """
        _admit(context)
        start, container = await self._begin(requests)
        if not start.command:
            raise BadRequest("exec needs a command")
        url = await self._runtime.exec(cri.ExecRequest(cmd=start.command, **_streams(start, container.id)))
        async for message in _pass_through(url, requests, has_stdin=start.stdin):
            yield message

    async def Attach(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Pass the streams of a container's main process through.

        Raises:
            Forbidden: the caller is not the apiserver.
            BadRequest: the first message is not a start.
            NotFound: the pod is not on this node, or its container does not run.
            ApiError: what the runtime answers.
        """
        _admit(context)
        start, container = await self._begin(requests)
        url = await self._runtime.attach(cri.AttachRequest(**_streams(start, container.id)))
        async for message in _pass_through(url, requests, has_stdin=start.stdin):
            yield message

    async def Tunnel(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Open a connection, and carry its bytes.

        Raises:
            Forbidden: the caller is not the apiserver.
            BadRequest: the first message is not a start, or the runtime cannot upgrade the connection so.
            NotFound: the pod is not on this node, or it or its container does not run.
            ApiError: what the runtime answers.
        """
        _admit(context)
        first = await anext(aiter(requests), pb.TunnelInput())
        target = first.start.WhichOneof("target")
        if target is None:
            raise BadRequest("the first message of a tunnel has to be its start")
        try:
            connection = await self._connected(target, getattr(first.start, target))
        except DialError as error:
            yield pb.TunnelOutput(failed=str(error))
            return
        async for message in carry(connection, requests):
            yield message

    async def Page(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Send a page of the kubelet's.

        Raises:
            Forbidden: the caller is not the apiserver.
            NotImplementedHere: the kubelet has no pages, or not this one.
            NotFound: there is no such page.
            MethodNotSupported: it can only be read.
        """
        _admit(context)
        if (path := read_pod_path(request.path)) is not None:
            async for chunk in self._pod_page(request, path):
                yield chunk
            return
        if self._pages is None:
            raise NotImplementedHere("this kubelet has no pages")
        page = await self._pages.page(request.method, request.path)
        yield pb.PageChunk(head=pb.PageHead(status=200, content_type=page.content_type))
        async for data in pieces(page):
            yield pb.PageChunk(data=data)

    async def Usage(self, _request: Any, context: Any) -> Any:
        """Answer with what the node and its pods use.

        Raises:
            Forbidden: the caller is not the apiserver.
            NotImplementedHere: this kubelet does not look.
            ApiError: the runtime does not answer.
        """
        _admit(context)
        if self._usage is None:
            raise NotImplementedHere("this kubelet does not say what is used")
        found = await self._usage()
        node = None if found.node is None else _window(found.node)
        return pb.UsageReply(node=node, pods=map(_pod_usage, found.pods))

    async def _pod_page(self, request: Any, path: PodPath) -> AsyncIterator[Any]:
        """Yield a page about a container: its log, or what a command in it says."""
        head = pb.PageChunk(head=pb.PageHead(status=200, content_type=_TEXT))
        container = pb.ContainerRef(
            namespace=path.namespace, pod=path.pod, container=path.container, pod_uid=path.uid
        )
        match path.what, request.method:
            case "containerLogs", "GET" | "HEAD":
                chunks = self._log_chunks(log_request(container, request.query))
                first = await anext(chunks, b"")  # before it no status is sent: what is wrong has its own
                yield head
                yield pb.PageChunk(data=first)
                async for data in chunks:
                    yield pb.PageChunk(data=data)
            case "run", "POST":
                said = await self._run(container, request.query)
                yield head
                yield pb.PageChunk(data=said)
            case "containerLogs" | "run", _:
                raise MethodNotSupported(f"/{path.what} of the kubelet does not take {request.method}")
            case _:
                raise BadRequest("Upgrade request required")

    async def _run(self, container: Any, query: str) -> bytes:
        """Run a command to its end; return what it wrote."""
        command = command_of(query)
        found = self._running(pb.StreamStart(container=container))
        answer = await self._runtime.exec_sync(found.id, command, _LONGEST_RUN_S)
        if answer.exit_code:
            text = f"command '{' '.join(command)}' exited with {answer.exit_code}: "
            raise InternalError(text + answer.stderr.decode(errors="replace"))
        return bytes(answer.stdout + answer.stderr)

    async def _connected(self, target: str, wanted: Any) -> Connection:
        if target == "address":
            if self._is_simulated():
                raise DialError(f"{wanted.host}:{wanted.port}: {_SIMULATED}")
            return await dialled(wanted.host, wanted.port, tls=wanted.tls)
        url = await self._session_url(target, wanted.start)
        headers = [(each.name, each.value) for each in wanted.headers]
        return await upgraded(url, "GET" if _is_websocket(headers) else "POST", wanted.query, headers)

    async def _session_url(self, target: str, start: Any) -> str:
        if target == "port_forward":
            pod = self._pod(start.container)
            if not (sandbox_id := self._pods.sandbox(pod.metadata.uid)):
                raise NotFound(f'the pod "{pod.metadata.name}" has no sandbox that runs')
            return await self._runtime.port_forward(sandbox_id)
        container = self._running(start)
        if target == "attach":
            return await self._runtime.attach(cri.AttachRequest(**_streams(start, container.id)))
        return await self._runtime.exec(cri.ExecRequest(cmd=start.command, **_streams(start, container.id)))

    async def _begin(self, requests: AsyncIterator[Any]) -> tuple[Any, LoggedContainer]:
        """Read the first message; return it and the running container that it is for."""
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("input") != "start":
            raise BadRequest("the first message of a stream has to be its start")
        return first.start, self._running(first.start)

    def _running(self, start: Any) -> LoggedContainer:
        """Return the running container that a request is for."""
        pod = self._pod(start.container)
        name = _container_name(pod, start.container)
        for container in self._pods.containers(pod.metadata.uid, name):
            if container.running:
                return container
        raise NotFound(f'container not found ("{name}")')

    def _pod(self, wanted: Any) -> Pod:
        pod = self._pods.pod(wanted.namespace, wanted.pod, wanted.pod_uid)
        if pod is None:
            raise NotFound(
                f'pod "{wanted.namespace}/{wanted.pod}" does not exist on this node',
                kind="pods",
                name=wanted.pod,
            )
        return pod

    def _wishes(self, request: Any) -> LogWishes:
        if request.stream not in _STREAMS:
            raise BadRequest(f'stream has to be "All", "Stdout" or "Stderr", not "{request.stream}"')
        since_ns = 0
        if request.since_time:
            try:
                since_ns = nanoseconds(request.since_time)
            except ValueError as error:
                raise BadRequest(f"sinceTime: {error}") from error
        elif request.HasField("since_seconds"):  # of the wall, as the timestamps in the log
            now_s = self._clock.timescale.wall(self._clock.now())
            since_ns = int((now_s - request.since_seconds) * 1e9)
        return LogWishes(_STREAMS[request.stream], since_ns, request.timestamps)


def _window(window: Window) -> Any:
    return pb.UsageWindow(
        end_ns=window.end_ns,
        length_ns=window.length_ns,
        cpu_nano_cores=window.cpu_nano_cores,
        memory_bytes=window.memory_bytes,
    )


def _pod_usage(found: PodWindows) -> Any:
    pod = found.pod
    containers = [pb.ContainerUsage(container=name, usage=_window(each)) for name, each in found.containers]
    return pb.PodUsage(namespace=pod.namespace, pod=pod.name, pod_uid=pod.uid, containers=containers)


def _is_websocket(headers: Sequence[tuple[str, str]]) -> bool:
    return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in headers)


def _streams(start: Any, container_id: str) -> dict[str, Any]:
    """Return what both requests of the CRI say of the streams: a terminal has no stderr of its own."""
    return {
        "container_id": container_id,
        "tty": start.tty,
        "stdin": start.stdin,
        "stdout": start.stdout,
        "stderr": start.stderr and not start.tty,
    }


async def _pass_through(url: str, requests: AsyncIterator[Any], *, has_stdin: bool) -> AsyncIterator[Any]:
    """Copy both ways until the runtime tells how it ended, or closes.

    The input is copied by a task of its own, which lives exactly as long as this generator: a TaskGroup cannot
    span its yields.
    """
    connection = await connect(url)
    pump = asyncio.ensure_future(_pump_input(connection, requests, has_stdin=has_stdin))
    try:
        while (message := await connection.receive()) is not None:
            channel, data = message
            if channel is Channel.ERROR:
                end = read_outcome(data)
                yield pb.StreamOutput(exit=pb.ExitStatus(code=end.code, error=end.error))
                return
            yield pb.StreamOutput(stdout=data) if channel is Channel.STDOUT else pb.StreamOutput(stderr=data)
        yield pb.StreamOutput(exit=pb.ExitStatus(code=0))  # an attachment ends so
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        await connection.aclose()


async def _pump_input(connection: StreamConnection, requests: AsyncIterator[Any], *, has_stdin: bool) -> None:
    async for message in requests:
        match message.WhichOneof("input"):
            case "stdin" if has_stdin:
                await connection.send_stdin(message.stdin)
            case "close_stdin" if has_stdin:
                await connection.close_stdin()
            case "resize":
                await connection.resize(message.resize.width, message.resize.height)
    if has_stdin:
        await connection.close_stdin()


def _container_name(pod: Pod, wanted: Any) -> str:
    """Return the container's name, the pod's first one where none is given."""
    spec = pod.spec
    names = [item.name for item in spec.containers]
    names += [item.name for item in spec.initContainers]
    names += [item.name for item in spec.ephemeralContainers]
    name = str(wanted.container) or names[0]
    if name not in names:
        raise BadRequest(f"container {name} is not valid for pod {pod.metadata.name}")
    return name


def _admit(context: Any) -> None:
    name = peer(context).common_name
    if name != APISERVER:
        raise Forbidden(f'only the apiserver may ask a kubelet, and "{name}" is not it')
