"""Plugin registration: its messages and its service (proto/machinery/pb/plugin_registration.proto).

A kubelet asks it of every plugin that shows itself in the folder `plugins_registry`.
"""

from __future__ import annotations

from typing import Final

from machinery.pb import plugin_registration_pb2 as messages

SERVICE: Final = messages.DESCRIPTOR.services_by_name["Registration"]
SERVICE_PATH: Final = "pluginregistration.Registration"  # its name on the wire

__all__ = ["SERVICE", "SERVICE_PATH", "messages"]
