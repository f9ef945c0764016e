"""A gRPC health check (grpc.health.v1.Health/Check), on a connection of its own."""

from __future__ import annotations

from kubelet.core.probing import Outcome


async def grpc_check(host: str, port: int, service: str, timeout_s: float) -> tuple[Outcome, str]:
    """Call a server's health check, in so many wall seconds; return the outcome and what the probe's event says."""
    import grpc.aio

    from machinery.wire.health import SERVICE, SERVICE_PATH, messages
    from machinery.wire.stubs import Stub

    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with grpc.aio.insecure_channel(netloc, options=(("grpc.enable_http_proxy", 0),)) as channel:
        health, request = Stub(channel, SERVICE, SERVICE_PATH), messages.HealthCheckRequest(service=service)
        try:
            answer = await health.Check(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return Outcome.FAILURE, _explain(error, netloc, timeout_s)
    known = messages.HealthCheckResponse.ServingStatus
    if answer.status == known.SERVING:
        return Outcome.SUCCESS, "service healthy"
    name = known.Name(answer.status) if answer.status in known.values() else "UNKNOWN"
    return Outcome.FAILURE, f'service unhealthy (responded with "{name}")'


def _explain(error: object, netloc: str, timeout_s: float) -> str:
    import grpc

    code = error.code()  # type: ignore[attr-defined]  # an AioRpcError
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    if code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}:
        return f'timeout: failed to connect service "{netloc}" within {timeout_s:g}s'
    return f"error: health rpc probe failed: {error.details()}"  # type: ignore[attr-defined]  # an AioRpcError
