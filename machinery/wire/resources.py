"""The conversation with the apiserver's gRPC door: its messages and its service (proto/machinery/pb/resources.proto).

`machinery.client.grpc_transport` asks, `apiserver.services.resources` answers. Both take the messages from here.
"""

from __future__ import annotations

from typing import Final

from machinery.pb import resources_pb2 as messages

SERVICE: Final = messages.DESCRIPTOR.services_by_name["Resources"]
SERVICE_PATH: Final = "kubarium.api.v1.Resources"  # its name on the wire
EACH_LIMIT: Final = 128  # objects in a CreateEach

__all__ = ["EACH_LIMIT", "SERVICE", "SERVICE_PATH", "messages"]
