"""A gRPC health server (grpc.health.v1.Health) as a process of its own: `python -m tests.support.health_server PORT FILE`.

It serves on every address; it is SERVING while FILE exists.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc.aio

_SERVING = b"\x08\x01"
_NOT_SERVING = b"\x08\x02"


async def serve(port: int, good: Path) -> None:
    """Answer until the process is ended."""

    async def check(_request: bytes, _context: object) -> bytes:
        return _SERVING if await asyncio.to_thread(good.exists) else _NOT_SERVING

    server = grpc.aio.server()
    method = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", method),))
    server.add_insecure_port(f"0.0.0.0:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
