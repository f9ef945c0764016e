"""The Container Storage Interface: its messages and its services (proto/machinery/pb/csi.proto).

A kubelet asks a driver's Node service. https://github.com/container-storage-interface/spec/blob/master/spec.md
"""

from __future__ import annotations

from typing import Final

from machinery.pb import csi_pb2 as messages

_SERVICES: Final = messages.DESCRIPTOR.services_by_name
IDENTITY: Final = _SERVICES["Identity"]
CONTROLLER: Final = _SERVICES["Controller"]
NODE: Final = _SERVICES["Node"]
IDENTITY_PATH: Final = "csi.v1.Identity"  # their names on the wire
CONTROLLER_PATH: Final = "csi.v1.Controller"
NODE_PATH: Final = "csi.v1.Node"

__all__ = [
    "CONTROLLER",
    "CONTROLLER_PATH",
    "IDENTITY",
    "IDENTITY_PATH",
    "NODE",
    "NODE_PATH",
    "messages",
]
