"""Sockets to a place: from the machine, or from within a node, where ClusterIPs lead somewhere.

A socket belongs to the network namespace in which it was made, wherever it is used. So a thread enters the node's, makes a
socket, and is back before anything else runs.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

from kubarium.core.network import node_namespace
from kubarium.core.publications import Place, Ways
from kubarium.host.network import enter, enter_file
from machinery.model.clock import Clock

_CONNECT_S = 3.0  # wall seconds for one place
_HERE = Path("/proc/thread-self/ns/net")


class Dialer:
    """Makes sockets that are connected to places."""

    def __init__(self, clock: Clock, cluster: str = "") -> None:
        """Dial into the nodes of a cluster whose nodes are namespaces of this machine; "": into none."""
        self._clock = clock
        self._cluster = cluster

    @property
    def enters_nodes(self) -> bool:
        """Whether places in nodes can be reached."""
        return bool(self._cluster)

    async def connect(self, ways: Ways) -> socket.socket:
        """Connect to the first place that takes a connection.

        Raises:
            OSError: none does, which is the last one's answer, or there is none.
        """
        refused = OSError(ways.problem)
        for place in ways.places:
            made = self._socket(place, socket.SOCK_STREAM)
            try:
                async with self._clock.timeout_wall(_CONNECT_S):
                    await asyncio.get_running_loop().sock_connect(made, (place.host, place.port))
            except TimeoutError:
                refused = OSError(f"{place.host}:{place.port} does not answer")
                made.close()
            except OSError as error:
                refused = error
                made.close()
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise refused

    def datagrams(self, ways: Ways) -> socket.socket:
        """Return a socket for datagrams to and from the first place.

        Raises:
            OSError: it cannot be made, there is no route, or no place.
        """
        if not ways.places:
            raise OSError(ways.problem)
        place = ways.places[0]
        made = self._socket(place, socket.SOCK_DGRAM)
        try:
            made.connect((place.host, place.port))
        except OSError:
            made.close()
            raise
        return made

    def _socket(self, place: Place, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET

        def make() -> socket.socket:
            made = socket.socket(family, kind)
            made.setblocking(False)  # noqa: FBT003 - the standard library's own
            return made

        return _inside(node_namespace(self._cluster, place.node), make) if place.node else make()


def _inside(namespace: str, make: Callable[[], socket.socket]) -> socket.socket:
    """Make a socket in a namespace.

    Raises:
        OSError: the namespace is gone, or may not be entered.
    """
    home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        try:
            return make()
        finally:
            enter_file(home)
    finally:
        os.close(home)
