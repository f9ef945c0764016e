"""A gRPC health check (grpc.health.v1.Health/Check), on a connection of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelet.core.probing import Outcome
from machinery.model.clock import Clock

if TYPE_CHECKING:
    from machinery.rpc.status import RpcError


async def grpc_check(
    host: str, port: int, service: str, timeout_s: float, clock: Clock
) -> tuple[Outcome, str]:
    """Call a server's health check, in so many wall seconds; return the outcome and what the probe's event says."""
    from machinery.rpc.status import RpcError
    from machinery.wire.health import SERVICE, SERVICE_PATH, messages
    from machinery.wire.stubs import Stub, insecure_channel

    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    channel = insecure_channel(netloc, clock)
    health, request = Stub(channel, SERVICE, SERVICE_PATH), messages.HealthCheckRequest(service=service)
    try:
        answer = await health.Check(request, timeout=timeout_s)
    except RpcError as error:
        return Outcome.FAILURE, _explain(error, netloc, timeout_s)
    finally:
        await channel.close()
    known = messages.HealthCheckResponse.ServingStatus
    if answer.status == known.SERVING:
        return Outcome.SUCCESS, "service healthy"
    name = known.Name(answer.status) if answer.status in known.values() else "UNKNOWN"
    return Outcome.FAILURE, f'service unhealthy (responded with "{name}")'


def _explain(error: RpcError, netloc: str, timeout_s: float) -> str:
    from machinery.rpc.status import Code

    if error.code is Code.UNIMPLEMENTED:
        return "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    if error.code in {Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE}:
        return f'timeout: failed to connect service "{netloc}" within {timeout_s:g}s'
    return f"error: health rpc probe failed: {error.details}"
