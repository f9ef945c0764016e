"""NodePorts: a host port has one user per protocol and address; 0.0.0.0 is every address."""

from __future__ import annotations

from typing import Final

from machinery.model.placement import is_address_taken
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.rejection import Rejection

NAME: Final = "NodePorts"
REJECTION: Final = Rejection(
    NAME, ("node(s) didn't have free ports for the requested pod ports",), resolvable=True
)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether nobody on the node uses the host ports that the pod wants."""
    return not any(
        is_address_taken(port.ip, node.ports.get((port.protocol, port.port), ())) for port in needs.ports
    )
