"""gRPC's health checking: its messages and its service (proto/machinery/pb/health.proto).

A kubelet's gRPC probes ask it of containers. https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

from typing import Final

from machinery.pb import health_pb2 as messages

SERVICE: Final = messages.DESCRIPTOR.services_by_name["Health"]
SERVICE_PATH: Final = "grpc.health.v1.Health"  # its name on the wire

__all__ = ["SERVICE", "SERVICE_PATH", "messages"]
