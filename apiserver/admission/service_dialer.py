"""Services, as the apiserver reaches them itself: a ready endpoint is chosen, and connected with through its pod's node.

The apiserver has no route to pods, so that the kubelet of the node connects. An endpoint that names no node is connected
with directly.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from functools import partial
from typing import Final, Protocol

from apiserver import objects
from apiserver.admission.web_client import CallFailed, Server
from apiserver.core.catalogue import Catalogue
from apiserver.core.values import Json, spec
from apiserver.watch_cache_feed import Feed
from apiserver.watch_cache_selection import select

_SERVICES: Final = ("", "services")
_SLICES: Final = ("discovery.k8s.io", "endpointslices")
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


class Tunnels(Protocol):
    """Who connects with addresses that only a node can reach."""

    async def connect(self, node: str, host: str, port: int) -> socket.socket:
        """Return a socket whose other end is at that address.

        Raises:
            OSError: it cannot be reached.
        """
        ...


class ServiceDialer:
    """Finds the servers behind Services."""

    def __init__(
        self,
        catalogue: Catalogue,
        feed: Feed,
        tunnels: Tunnels | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._feed = feed
        self._tunnels = tunnels
        self._random = rng or random.Random()  # noqa: S311 - which of several endpoints is no secret

    def server(self, namespace: str, name: str, port: int, ca: bytes) -> Server:
        """Return the server of a Service's port; who connects to it chooses one of its endpoints."""
        host = f"{name}.{namespace}.svc"
        return Server(host, port, ca, partial(self._dial, namespace, name, port))

    async def _dial(self, namespace: str, name: str, port: int) -> socket.socket:
        service = self._get(namespace, name)
        if spec(service).get("type") == "ExternalName":
            return await _connect(str(spec(service).get("externalName", "")), port)
        node, host, number = self._endpoint(namespace, name, _port_name(service, name, port))
        if node and self._tunnels is not None:
            return await self._tunnels.connect(node, host, number)
        return await _connect(host, number)

    def _get(self, namespace: str, name: str) -> Json:
        kind = self._catalogue.stored(*_SERVICES)
        found = self._feed.cache(kind).get(f"{namespace}/{name}") if kind else None
        if found is None:
            raise CallFailed(f'service "{name}" not found')
        return objects.decode(found.json)

    def _endpoint(self, namespace: str, name: str, port_name: str) -> tuple[str, str, int]:
        found = list(self._endpoints(namespace, name, port_name))
        if not found:
            raise CallFailed(f'no endpoints available for service "{name}"')
        return self._random.choice(found)

    def _endpoints(self, namespace: str, name: str, port_name: str) -> Iterator[tuple[str, str, int]]:
        """Yield the node, the address and the port of each endpoint that is ready."""
        kind = self._catalogue.stored(*_SLICES)
        if kind is None:
            return
        selected = select(kind, namespace, f"{_SERVICE_LABEL}={name}", "")
        for cached in self._feed.cache(kind).list(selected):
            each = objects.decode(cached.json)
            ports = [port for port in each.get("ports") or () if port.get("name", "") == port_name]
            if not ports or not ports[0].get("port"):
                continue
            for endpoint in each.get("endpoints") or ():
                addresses = endpoint.get("addresses") or ()
                if addresses and (endpoint.get("conditions") or {}).get("ready", True):
                    yield str(endpoint.get("nodeName") or ""), str(addresses[0]), int(ports[0]["port"])


def _port_name(service: Json, name: str, port: int) -> str:
    for each in spec(service).get("ports") or ():
        if each.get("port") == port:
            return str(each.get("name", ""))
    raise CallFailed(f'no service port {port} found for service "{name}"')


async def _connect(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = infos[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)  # noqa: FBT003 - the one question it answers
    try:
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
