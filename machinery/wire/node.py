"""The conversation with a kubelet's door: its messages and its service (proto/machinery/pb/node.proto).

The apiserver asks for logs, exec and attach, `kubelet.server` answers. Both take the messages from here.
"""

from __future__ import annotations

from typing import Final

from machinery.pb import node_pb2 as messages

SERVICE: Final = messages.DESCRIPTOR.services_by_name["Node"]
SERVICE_PATH: Final = "kubarium.node.v1.Node"  # its name on the wire

__all__ = ["SERVICE", "SERVICE_PATH", "messages"]
