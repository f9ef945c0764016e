"""What the process is asked about its nodes over its control socket (machinery/process/control.py).

GET /nodes                       {"hollow-0001": "on", …}: on, off, paused, cut
PUT /nodes                       {"node": "hollow-0007", "do": "kill"}: kill, pause, cut, resume, restart
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hollownodes.fleet import Fleet
from machinery.model.errors import NotFound
from machinery.process.control import Answer

PATH = "/nodes"


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done to a node."""

    node: str
    do: Literal["kill", "pause", "cut", "resume", "restart"]


class FleetPages:
    """Answers for a fleet. Implements `machinery.process.control.Pages`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Return the response to a request; never raises."""
        if path != PATH or method not in {"GET", "PUT"}:
            return Answer(405, b"GET and PUT of /nodes")
        if method == "PUT":
            try:
                order = msgspec.json.decode(body, type=Order)
                getattr(self._fleet, order.do)(order.node)
            except NotFound as error:
                return Answer(404, error.message.encode())
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                return Answer(400, str(error).encode())
            return Answer(200, b"{}", "application/json")
        powers = {name: power.value for name, power in self._fleet.powers().items()}
        return Answer(200, msgspec.json.encode(powers), "application/json")
