"""The server that `benchmarks.rpc` asks, as a process: `python -m benchmarks.rpc_server STACK ADDRESS FOLDER`.

It answers an Update with the object that came. "ours" is the server of the product, "grpcio" that of gRPC's own library.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.services import handler

_OPTIONS = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024 * 1024))


def ready(server: subprocess.Popen[str]) -> str:
    """Return the address of a server that is being started, once it serves."""
    assert server.stdout is not None
    return server.stdout.readline().strip()


class Echo:
    """The service."""

    async def Update(  # noqa: N802 - the proto's name
        self, request: pb.UpdateRequest, context: Any
    ) -> pb.Object:
        """Return the object that came."""
        context.set_trailing_metadata((("kubarium-server", "apiserver"),))
        return pb.Object(json=request.json, revision=4711, uid="uid")


async def _ours(address: str, folder: Path) -> str:
    files = (str(folder / name) for name in ("server.crt", "server.key", "ca.crt"))
    server = grpc_server([address], ServerTls(*files), [handler(SERVICE, SERVICE_PATH, Echo())])
    await server.start()
    _KEPT.append(server)
    return address if address.startswith("unix:") else f"127.0.0.1:{bound_ports(server)[0]}"


async def _grpcio(address: str, folder: Path) -> str:
    import grpc.aio

    server = grpc.aio.server(options=_OPTIONS)
    update = grpc.unary_unary_rpc_method_handler(
        Echo().Update, pb.UpdateRequest.FromString, pb.Object.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_PATH, {"Update": update}),))
    if address.startswith("unix:"):
        server.add_insecure_port(address)
    else:
        pair = ((folder / "server.key").read_bytes(), (folder / "server.crt").read_bytes())
        authority = (folder / "ca.crt").read_bytes()
        credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=True)
        address = f"127.0.0.1:{server.add_secure_port(address, credentials)}"
    await server.start()
    _KEPT.append(server)
    return address


_KEPT: list[Any] = []
_STACKS = {"ours": _ours, "grpcio": _grpcio}


async def _main(stack: str, address: str, folder: str) -> None:
    print(await _STACKS[stack](address, Path(folder)), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*sys.argv[1:]))
