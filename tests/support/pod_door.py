"""A door that kubectl takes for an apiserver: one pod, whose exec, attach and port-forward a CRI server answers.

kubectl is the independent peer of dockershim's SPDY: its streams are client-go's, as crictl's and every Go client's
are. The door upgrades nothing itself: as a kubelet does, it asks CRI for a URL, sends the client's request there with
another path, and carries bytes both ways. Where it refuses WebSocket, kubectl speaks SPDY.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.cri_servers import Cri

POD = "web"
_PODS = {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "verbs": ["get"]}
_DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_PODS]},
}


@dataclass(frozen=True)
class PodDoor:
    """The door: what it shows as the pod, and what has come through it."""

    shim: Cri
    sandbox: str
    container: str
    passes_websocket: bool
    protocols: list[str]  # that clients were upgraded to

    async def fetches(self, url: str) -> bool:
        """Whether a program in the container gets an answer from a URL."""
        done = await self.shim.call(
            "ExecSync", container_id=self.container, cmd=["wget", "-qO/dev/null", url]
        )
        return bool(done.exit_code == 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and carry what it is upgraded to."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            url = urlsplit(target)
            if "Upgrade:" in head:
                await self._upgrade(url.path.rpartition("/")[2], parse_qs(url.query), head, reader, writer)
            else:
                writer.write(_response(*self._answer(method, url.path)))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def _answer(self, method: str, path: str) -> tuple[int, Any]:
        if method == "GET" and path == f"/api/v1/namespaces/default/pods/{POD}":
            return 200, self._pod()
        if method == "GET" and path in _DISCOVERY:
            return 200, _DISCOVERY[path]
        return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "message": path}

    def _pod(self) -> dict[str, Any]:
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": POD, "namespace": "default"},
            "spec": {"containers": [{"name": "main", "image": "busybox", "stdin": True}]},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "main", "containerID": self.container, "ready": True, "state": {"running": {}}}
                ],
            },
        }

    async def _upgrade(
        self,
        verb: str,
        query: dict[str, list[str]],
        head: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if "upgrade: websocket" in head.lower() and not self.passes_websocket:
            writer.write(_response(400, {"kind": "Status", "message": "no WebSocket here"}))
            return
        url = urlsplit(await self._url(verb, query))
        connection = self.shim.in_namespace((socket.AF_INET, socket.SOCK_STREAM, 0))
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (url.hostname, url.port))
        there, back = await asyncio.open_connection(sock=connection)
        fields = head.partition("\r\n")[2]
        back.write(f"{head.partition(' ')[0]} {url.path} HTTP/1.1\r\n{fields}".encode("latin-1"))
        answer = await there.readuntil(b"\r\n\r\n")
        writer.write(answer)
        self.protocols.extend(
            line.partition(": ")[2]
            for line in answer.decode().split("\r\n")
            if line.lower().startswith(("x-stream-protocol-version:", "sec-websocket-protocol:"))
        )
        await asyncio.gather(_carry(reader, back), _carry(there, writer))

    async def _url(self, verb: str, query: dict[str, list[str]]) -> str:
        streams = {name: query.get(name) == ["true"] for name in ("stdin", "stdout", "stderr", "tty")}
        match verb:
            case "exec":
                fields = {"container_id": self.container, "cmd": query["command"], **streams}
                return str((await self.shim.call("Exec", **fields)).url)
            case "attach":
                return str((await self.shim.call("Attach", container_id=self.container, **streams)).url)
        return str((await self.shim.call("PortForward", pod_sandbox_id=self.sandbox)).url)


@contextlib.asynccontextmanager
async def pod_door(
    shim: Cri, sandbox: str, container: str, folder: Path, *, passes_websocket: bool
) -> AsyncIterator[tuple[PodDoor, Path]]:
    """Open a door; yield it with a kubeconfig that leads there."""
    door = PodDoor(shim, sandbox, container, passes_websocket, [])
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "door", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "contexts": [{"name": "door", "context": {"cluster": "door", "user": ""}}],
                "current-context": "door",
            }
        )
    )
    async with server:
        yield door, kubeconfig


def _response(status: int, body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} Any\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
