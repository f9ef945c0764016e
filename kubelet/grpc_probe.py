"""A gRPC health check (grpc.health.v1.Health/Check), without generated code: its messages have one field each."""

from __future__ import annotations

from typing import Final

from kubelet.core.probing import Outcome

_PATH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x08\x01"  # field 1 (status), SERVING


async def grpc_check(host: str, port: int, service: str, timeout_s: float) -> tuple[Outcome, str]:
    """Ask a server for its health, in so many wall seconds."""
    import grpc
    import grpc.aio

    name = service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with grpc.aio.insecure_channel(netloc, options=(("grpc.enable_http_proxy", 0),)) as channel:
        try:
            answer = await channel.unary_unary(_PATH)(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return Outcome.FAILURE, _explain(error, netloc, timeout_s)
    if answer == _SERVING:
        return Outcome.SUCCESS, "service healthy"
    status = {b"": "UNKNOWN", b"\x08\x02": "NOT_SERVING", b"\x08\x03": "SERVICE_UNKNOWN"}.get(
        answer, "UNKNOWN"
    )
    return Outcome.FAILURE, f'service unhealthy (responded with "{status}")'


def _explain(error: object, netloc: str, timeout_s: float) -> str:
    import grpc

    code = error.code()  # type: ignore[attr-defined]  # an AioRpcError
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    if code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}:
        return f'timeout: failed to connect service "{netloc}" within {timeout_s:g}s'
    return f"error: health rpc probe failed: {error.details()}"  # type: ignore[attr-defined]  # an AioRpcError


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
