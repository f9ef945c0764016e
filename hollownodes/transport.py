"""A node's way to the apiserver, over the connections that all nodes of the process share.

What keeps nodes alive (their leases, their own objects) goes over one of them, everything else over another, where only so
many requests are under way: a thousand pods that begin do not stand in a lease's way. Lists and watches that others want as
well are answered from `SharedWatches`; leases, statuses of pods and Events go with those of others (`WriteBatches`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from hollownodes.link import Link
from hollownodes.shared_watches import SharedWatches, place_of
from machinery.client.transport import ApiRequest, Page, Transport
from machinery.client.write_batches import Line, WriteBatches, line_of
from machinery.model.requests import WatchEvent
from machinery.model.resources import EVENTS, LEASES, NODES, PODS, KubeObject

T = TypeVar("T", bound=KubeObject)

_VITAL: Final = (LEASES, NODES)


def shared_line_of(request: ApiRequest) -> Line | None:
    """Return with which others a node's request may go; None where it goes by itself."""
    resource, method = request.resource, request.method
    is_alone = not (
        (resource is EVENTS and method == "CreateEach")
        or (resource is LEASES and method == "Update")
        or (resource in (NODES, PODS) and method == "Patch" and request.subresource == "status")
    )
    return None if is_alone or request.fence is not None else line_of(request)


@dataclass(frozen=True, slots=True)
class SharedDoor:
    """What all nodes of the process share."""

    vital: Transport
    bulk: Transport
    watches: SharedWatches
    renewals: WriteBatches  # over the vital connection
    writes: WriteBatches


class NodeTransport:
    """One node's. Implements `machinery.client.transport.Transport`."""

    def __init__(self, door: SharedDoor, link: Link) -> None:
        self._door = door
        self._link = link

    @property
    def answered_by(self) -> str:
        """The name of the server that answered last."""
        return self._door.vital.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        await self._link.passed(timeout_s)
        line = shared_line_of(request)
        if line is None:
            answer = await self._chosen(request).call(request, timeout_s)
        else:
            answer = await self._batches(request).call(line, request, timeout_s)
        await self._link.passed(timeout_s)  # the answer is on its way, too
        return answer

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, a DeleteCollection or a CreateEach.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        await self._link.passed(timeout_s)
        page = await self._page(request, timeout_s)
        await self._link.passed(timeout_s)
        return page

    async def _page(self, request: ApiRequest, timeout_s: float) -> Page:
        if (line := shared_line_of(request)) is not None:
            return await self._batches(request).page(line, request, timeout_s)
        place = place_of(request) if request.method == "List" else None
        if place is not None:
            return await self._door.watches.page(place, timeout_s)
        return await self._chosen(request).page(request, timeout_s)

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        await self._link.passed()
        place = place_of(request)
        batches = (
            self._door.bulk.stream(request, type_)
            if place is None
            else self._door.watches.stream(place, int(request.resource_version))
        )
        async for batch in batches:
            await self._link.passed()
            yield batch

    async def aclose(self) -> None:
        """Leave the connections open: they are the others', too."""

    def _batches(self, request: ApiRequest) -> WriteBatches:
        return self._door.renewals if request.resource in _VITAL else self._door.writes

    def _chosen(self, request: ApiRequest) -> Transport:
        return self._door.vital if request.resource in _VITAL else self._door.bulk
