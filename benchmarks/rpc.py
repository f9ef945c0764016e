"""The CPU of a unary gRPC call, of both its ends: ours (`machinery.rpc`) and gRPC's own library, each with each.

Over TLS with client certificates and over a unix socket, one call at a time and 16 at once. A call is the update of a lease
as a kubelet makes it: some 400 bytes there and back, with the metadata of a caller. Client and server are processes of their
own, with the event loop of the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.rpc_server import ready
from kubarium.core.certificates import Certificate
from kubarium.host.usage import usage
from kubarium.identity.pki import Pki
from machinery.client.tls import ClientTls
from machinery.process.clock import WALL
from machinery.wire.cause_headers import request_metadata
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.stubs import Stub, unix_channel

STACKS = ("grpcio", "ours")
IN_FLIGHT = (1, 16)
CALLS = int(os.environ.get("KUBARIUM_BENCH_CALLS", "6000"))
WARM = 500
_ENVIRONMENT = {"GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener", "GRPC_VERBOSITY": "NONE"}
_OPTIONS = (  # as the product had them
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.ssl_target_name_override", "server"),
)


def measure() -> dict[str, Any]:
    """Report the CPU microseconds of a call, of its client and of its server."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        pki = Pki(Path(folder))
        pki.ensure_authority()
        pki.ensure(Certificate("server", "server", hosts=("server",)))
        pki.ensure(Certificate("client", "client"))
        for place in ("tls", "unix"):
            for server in STACKS:
                with _serving(server, place, folder) as (address, pid):
                    for client in STACKS:
                        name = f"{place}: {client} client, {server} server"
                        figures[name] = _called(client, address, folder, pid)
    return figures


@contextlib.contextmanager
def _serving(stack: str, place: str, folder: str) -> Any:
    address = f"unix:{folder}/{stack}.sock" if place == "unix" else "127.0.0.1:0"
    command = [sys.executable, "-m", "benchmarks.rpc_server", stack, address, folder]
    environment = os.environ | _ENVIRONMENT
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            yield ready(server), server.pid
        finally:
            server.terminate()


def _called(stack: str, address: str, folder: str, pid: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.rpc", stack, address, folder, str(pid)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | _ENVIRONMENT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def _main(stack: str, address: str, folder: str, server: int) -> dict[str, Any]:
    async with _CLIENTS[stack](address, Path(folder)) as update:
        await _calls(update, 16, WARM)
        return {f"{count} at once": await _measured(update, count, server) for count in IN_FLIGHT}


async def _measured(update: Callable[[], Awaitable[Any]], in_flight: int, server: int) -> dict[str, float]:
    before, own, began = usage([server])[server].cpu_s, time.process_time(), time.monotonic()
    await _calls(update, in_flight, CALLS)
    took, own = time.monotonic() - began, time.process_time() - own
    there = usage([server])[server].cpu_s - before
    return {
        "client_us": round(own / CALLS * 1e6, 1),
        "server_us": round(there / CALLS * 1e6, 1),
        "wall_us": round(took / CALLS * 1e6, 1),
    }


async def _calls(update: Callable[[], Awaitable[Any]], in_flight: int, count: int) -> None:
    todo = iter(range(count))

    async def worker() -> None:
        for _ in todo:
            await update()

    await asyncio.gather(*(worker() for _ in range(in_flight)))


def _request() -> pb.UpdateRequest:
    target = pb.Target(
        group="coordination.k8s.io",
        version="v1",
        resource="leases",
        namespace="kube-node-lease",
        name="node-1",
    )
    lease = {"spec": {"holderIdentity": "node-1", "renewTime": "2026-01-01T00:00:00.000000Z"}, "x": "y" * 250}
    return pb.UpdateRequest(target=target, json=json.dumps(lease).encode())


_REQUEST = _request()


@contextlib.asynccontextmanager
async def _ours(address: str, folder: Path) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    tls = ClientTls(
        str(folder / "ca.crt"), str(folder / "client.crt"), str(folder / "client.key"), server_name="server"
    )
    unix = address.removeprefix("unix:")
    channel = unix_channel(unix, WALL) if unix != address else tls.channel(address, WALL)
    stub = Stub(channel, SERVICE, SERVICE_PATH)
    try:
        yield lambda: stub.Update(_REQUEST, timeout=10.0, metadata=request_metadata("kubelet@node-1"))
    finally:
        await channel.close()


@contextlib.asynccontextmanager
async def _grpcio(address: str, folder: Path) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    import grpc.aio

    if address.startswith("unix:"):
        channel = grpc.aio.insecure_channel(address, options=_OPTIONS[:-1])
    else:
        files = [(folder / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt")]
        credentials = grpc.ssl_channel_credentials(*files)
        channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
    update = channel.unary_unary(
        f"/{SERVICE_PATH}/Update", pb.UpdateRequest.SerializeToString, pb.Object.FromString
    )
    try:
        yield lambda: update(_REQUEST, timeout=10.0, metadata=request_metadata("kubelet@node-1"))
    finally:
        await channel.close()


_CLIENTS = {"ours": _ours, "grpcio": _grpcio}

if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))))
