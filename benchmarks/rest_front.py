"""What the REST door's own HTTP/1.1 front saves: CPU of the apiserver for a GET, POST and LIST, against aiohttp alone.

Each front has a server process of its own, on the real door with TLS and one real etcd. They take turns, so that what
else the machine does falls on all of them.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.rest_front_server import FRONTS
from kubarium.identity.pki import Pki
from tests.support.apiserver import certificates, configuration
from tests.support.etcd_server import EtcdServer

ROUNDS: Final = 30
CONNECTIONS: Final = (1, 16)
PODS: Final = 500
COUNTS: Final = {"get": 300, "post": 60, "list_500": 30}  # requests of a round
PATHS: Final = "/api/v1/namespaces/{}/{}"


@dataclass(frozen=True, slots=True)
class Server:
    """A front that serves."""

    pid: int
    address: str
    namespace: str


def measure(commands: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Report the median CPU milliseconds of a request, by front, request and number of connections.

    Raises:
        RuntimeError: a server does not start, or refuses a request.
    """
    own = {name: (sys.executable, "-m", "benchmarks.rest_front_server", name) for name in FRONTS}
    with tempfile.TemporaryDirectory() as folder:
        pki, etcd = certificates(Path(folder)), EtcdServer(Path(folder), {})
        etcd.start()
        try:
            with _serving(pki, etcd.address, commands or own) as servers:
                return asyncio.run(_measure(pki, servers))
        finally:
            etcd.stop()


@contextmanager
def _serving(pki: Pki, etcd: str, commands: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Server]]:
    processes: list[subprocess.Popen[str]] = []
    servers = {}
    try:
        for name, command in commands.items():
            config = configuration(pki, etcd)
            flags = [f"--{field.replace('_', '-')}={_text(getattr(config, field))}" for field in _FLAGS]
            process = subprocess.Popen((*command, *flags), stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            while (line := process.stdout.readline()) != "ready\n":
                if not line:
                    raise RuntimeError(f"the server {name} does not start")
            servers[name] = Server(process.pid, config.rest_listen[0], f"bench-{name}")
        yield servers
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


_FLAGS: Final = (
    "etcd_servers",
    "rest_listen",
    "grpc_listen",
    "ca_file",
    "cert_file",
    "key_file",
    "kubelet_cert_file",
    "kubelet_key_file",
    "sa_key_file",
)


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


async def _measure(pki: Pki, servers: Mapping[str, Server]) -> dict[str, Any]:
    tls = ssl.create_default_context(cafile=str(pki.certificate("ca")))
    tls.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
    figures: dict[str, Any] = {}
    for connections in CONNECTIONS:
        sessions = {
            name: aiohttp.ClientSession(
                f"https://{server.address}", connector=aiohttp.TCPConnector(limit=connections, ssl=tls)
            )
            for name, server in servers.items()
        }
        try:
            figures[f"connections_{connections}"] = await _compare(servers, sessions, connections)
        finally:
            for session in sessions.values():
                await session.close()
    return figures


async def _compare(
    servers: Mapping[str, Server], sessions: Mapping[str, aiohttp.ClientSession], connections: int
) -> dict[str, Any]:
    spent: dict[str, dict[str, list[float]]] = {what: {name: [] for name in servers} for what in COUNTS}
    for name, session in sessions.items():
        await _prepare(session, servers[name].namespace)
    for round_ in range(ROUNDS):
        for what, count in COUNTS.items():
            for name in list(servers) if round_ % 2 else reversed(list(servers)):
                send = _request(what, sessions[name], servers[name].namespace, f"{connections}-{round_}")
                spent[what][name].append(await _load(servers[name].pid, count, connections, send))
    return {what: _summary(by_front) for what, by_front in spent.items()}


def _summary(by_front: Mapping[str, list[float]]) -> dict[str, Any]:
    medians = {name: statistics.median(spent) for name, spent in by_front.items()}
    alone = medians["aiohttp"]
    return {
        name: {
            "cpu_ms": round(median, 4),
            "of_aiohttp": round(median / alone, 3),
            "least_cpu_ms": round(min(by_front[name]), 4),
        }
        for name, median in medians.items()
    }


async def _prepare(session: aiohttp.ClientSession, namespace: str) -> None:
    async with session.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}) as answer:
        if answer.status == 409:  # by an earlier number of connections
            return
        answer.raise_for_status()
    account = {"metadata": {"name": "default"}}
    await _sent(session, "post", PATHS.format(namespace, "serviceaccounts"), account)
    for index in range(PODS):
        await _sent(session, "post", PATHS.format(namespace, "pods"), _pod(f"pod-{index}"))


def _pod(name: str) -> dict[str, Any]:
    resources = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    container = {"name": "main", "image": "busybox", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def _request(
    what: str, session: aiohttp.ClientSession, namespace: str, run: str
) -> Callable[[int], Awaitable[None]]:
    pods, maps = PATHS.format(namespace, "pods"), PATHS.format(namespace, "configmaps")

    async def get(index: int) -> None:
        await _sent(session, "get", f"{pods}/pod-{index % PODS}")

    async def post(index: int) -> None:
        await _sent(
            session, "post", maps, {"metadata": {"name": f"map-{run}-{index}"}, "data": {"key": "value"}}
        )

    async def list_500(_: int) -> None:
        await _sent(session, "get", pods)

    return {"get": get, "post": post, "list_500": list_500}[what]


async def _sent(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> None:
    async with session.request(method, path, json=body) as answer:
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {await answer.text()}")
        await answer.read()


async def _load(pid: int, count: int, connections: int, send: Callable[[int], Awaitable[None]]) -> float:
    todo = iter(range(count))

    async def worker() -> None:
        for index in todo:
            await send(index)

    before = _cpu_ns(pid)
    await asyncio.gather(*(worker() for _ in range(connections)))
    return (_cpu_ns(pid) - before) / count / 1e6


def _cpu_ns(pid: int) -> int:
    """Return the time that a process has run for, more finely than its clock ticks."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
