"""What etcd says is wrong with itself: a quota that is reached, data that differ between members.

etcd raises an alarm then and refuses writes until somebody has mended it and disarmed the alarm. It is asked when it has
refused a call, and again until there is no alarm: as long as all is well this costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from apiserver.storage.endpoints import Endpoints
from machinery.model.errors import ApiError
from machinery.pb import etcd_pb2 as pb

_PERIOD_S: Final = 1.0  # wall seconds
_REQUEST: Final = pb.StatusRequest()


class Alarms:
    """Follows the alarms of one etcd cluster."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.problem = ""  # in etcd's words; "" where there is no alarm, as far as is known
        self._endpoints = endpoints

    async def follow(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Ask for ever, while there is reason to; `sleep` takes wall seconds."""
        while True:
            await self._endpoints.refused.wait()
            self._endpoints.refused.clear()
            while await self._ask():
                await sleep(_PERIOD_S)

    async def status(self) -> pb.StatusResponse:
        """Return what a member says of itself."""
        answer: pb.StatusResponse = await self._endpoints.call(
            lambda member, timeout: member.maintenance.Status(_REQUEST, timeout=timeout)
        )
        return answer

    async def _ask(self) -> bool:
        """Read the alarms; return whether to ask again: there is one, or etcd does not answer."""
        try:
            status = await self.status()
        except ApiError:  # that it does not answer is seen by everybody
            return True
        self.problem = "; ".join(status.errors)
        return bool(self.problem)
