"""The kubelets, as the apiserver dials them: logs, exec and attach of the containers on a node.

A kubelet's address is what its Node object says: the InternalIP (else the Hostname) and the port of its daemon
endpoint. Channels are kept while somebody uses them, and for a while after.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from apiserver.authentication import SELF
from apiserver.registry import Registry
from apiserver.request import Request
from machinery.client.tls import ClientTls
from machinery.model.errors import ApiError, NotFound, Unavailable

if TYPE_CHECKING:
    import grpc.aio

_ADDRESS_TYPES: Final = ("InternalIP", "Hostname", "ExternalIP")
_DEFAULT_PORT: Final = 10250
_MOST: Final = 64  # channels that are kept open
NODE_SERVICE: Final = "kubarium.node.v1.Node"


class Kubelets:
    """Channels to the kubelets of the cluster."""

    def __init__(self, registry: Registry, tls: ClientTls) -> None:
        self._registry = registry
        self._tls = tls
        self._channels: OrderedDict[str, tuple[grpc.aio.Channel, Any]] = OrderedDict()
        self._users: dict[str, int] = {}

    async def aclose(self) -> None:
        """Close every channel."""
        channels, self._channels = self._channels, OrderedDict()
        for channel, _ in channels.values():
            await channel.close()
