"""NodePorts: the host ports of a pod are free on its node (`scheduler.core.host_ports`)."""

from __future__ import annotations

from typing import Final

from scheduler.core.rejection import Rejection

NAME: Final = "NodePorts"
REJECTION: Final = Rejection(
    NAME, ("node(s) didn't have free ports for the requested pod ports",), resolvable=True
)
