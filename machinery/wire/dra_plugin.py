"""Dynamic resource allocation on a node: the messages and the service of a driver (proto/machinery/pb/dra_plugin.proto).

A kubelet asks it of the drivers whose devices a pod has.
"""

from __future__ import annotations

from typing import Final

from machinery.pb import dra_plugin_pb2 as messages

SERVICE: Final = messages.DESCRIPTOR.services_by_name["DRAPlugin"]
SERVICE_PATH: Final = "k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"  # its name on the wire
TYPE: Final = "DRAPlugin"  # as which it registers
VERSION: Final = "v1.DRAPlugin"  # of the service, as it is said there

__all__ = ["SERVICE", "SERVICE_PATH", "TYPE", "VERSION", "messages"]
