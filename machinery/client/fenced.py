"""Writes that carry the leadership under which they are made, so that the store refuses a deposed leader's.

What leads takes its `Api` through `fenced`: no call site says more. Not fenced are reads, Events and Leases. An Event says
what was done or seen, and stays true when it is written late; a Lease is guarded by its own resourceVersion already, and
the elector writes it before it leads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from machinery.client.api import Api
from machinery.client.transport import ApiRequest, Page, Transport
from machinery.model.requests import Fence, WatchEvent
from machinery.model.resources import EVENTS, LEASES, KubeObject

T = TypeVar("T", bound=KubeObject)

_READS: Final = frozenset({"Get", "List", "Watch"})
_UNFENCED: Final = frozenset({str(EVENTS), str(LEASES)})


async def _at_once() -> None:
    """Hold no write back."""


def fenced(api: Api, fence: Callable[[], Fence], held: Callable[[], Awaitable[None]] = _at_once) -> Api:
    """Return an `Api` whose writes carry a fence, asked for at each of them (`LeaderElector.fence`).

    Before each it waits for `held`, as `LeaderElector.held` while the leadership is in doubt. Its writes raise `Deposed` once the lease is not held any more as the fence says, beside what they raise anyway.
    """
    return api.over(lambda transport: _Fenced(transport, fence, held))


class _Fenced:
    """Adds the fence. Implements `machinery.client.transport.Transport`."""

    def __init__(
        self, transport: Transport, fence: Callable[[], Fence], held: Callable[[], Awaitable[None]]
    ) -> None:
        self._transport = transport
        self._fence = fence
        self._held = held

    @property
    def answered_by(self) -> str:
        """The name of the server that answered last."""
        return self._transport.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON.

        Raises:
            Deposed: the lease is not held any more.
            ApiError: it was refused otherwise, or it is not known whether it was carried out.
        """
        return await self._transport.call(await self._with_fence(request), timeout_s)

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, a DeleteCollection or a CreateEach.

        Raises:
            Deposed: the lease is not held any more.
            ApiError: it was refused otherwise, or it is not known whether it was carried out.
        """
        return await self._transport.page(await self._with_fence(request), timeout_s)

    def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        return self._transport.stream(request, type_)

    async def aclose(self) -> None:
        """End every call and the connection."""
        await self._transport.aclose()

    async def _with_fence(self, request: ApiRequest) -> ApiRequest:
        if request.method in _READS or str(request.resource) in _UNFENCED:
            return request
        await self._held()
        return request._replace(fence=self._fence())
