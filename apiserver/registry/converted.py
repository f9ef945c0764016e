"""Lists and watches in a version into which a server outside converts: as those of the stored version, page by page.

No cache is kept of such a version, as it is of others: every reader has what it reads converted, many objects by one call.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from apiserver import objects
from apiserver.aside import aside
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.request import Item, ListReply, SharedBatch, SharedEvent, SharedItems, Sink, WatchReply
from machinery.model.requests import EventType


class Shown(msgspec.Struct, frozen=True, gc=False):
    """An object in another version than the cached one (`apiserver.request.Item`)."""

    json: bytes
    uid: str
    revision: int


async def converted_list(kind: Kind, reply: ListReply) -> ListReply:
    """Return a page of the stored version in another one.

    Raises:
        InternalError: who converts does not answer.
    """
    items: Sequence[Item] = reply.items
    shown = await _converted(kind, [item.json for item in items])
    made = [Shown(json, item.uid, item.revision) for json, item in zip(shown, items, strict=True)]
    return ListReply(
        kind.api_version,
        reply.kind,
        SharedItems(made),
        reply.revision,
        reply.continue_,
        reply.remaining,
        is_cached=False,
        items_say_kind=reply.items_say_kind,
    )


class ConvertedWatch:
    """A watch of the stored version, told in another one (`apiserver.request.WatchReply`)."""

    def __init__(self, kind: Kind, watch: WatchReply) -> None:
        self._kind = kind
        self._watch = watch

    async def __aiter__(self) -> AsyncIterator[SharedBatch]:
        """Yield batches of events, each converted when it is read."""
        async for batch in self._watch:
            yield await self._batch(batch)

    async def deliver(self, sink: Sink) -> None:
        """Write every batch into a sink."""
        async for batch in self:
            sink.write(batch)
            await sink.drained()

    async def aclose(self) -> None:
        """End the watch. Idempotent."""
        await self._watch.aclose()

    async def _batch(self, batch: SharedBatch) -> SharedBatch:
        about = [event for event in batch if event.type is not EventType.BOOKMARK]
        made = iter(await _converted(self._kind, [event.json for event in about]))
        events = []
        for event in batch:
            is_bookmark = event.type is EventType.BOOKMARK
            json = self._bookmark(event.json) if is_bookmark else next(made)
            events.append(SharedEvent(event.type, json, event.uid, event.revision))
        return SharedBatch(events)

    def _bookmark(self, json: bytes) -> bytes:
        return objects.to_json({**objects.decode(json), "apiVersion": self._kind.api_version})


async def _converted(kind: Kind, shown: Sequence[bytes]) -> list[bytes]:
    assert kind.rules.convert_all is not None  # noqa: S101 - the caller has seen it
    weight = sum(map(len, shown))
    decoded = await aside(weight, _decoded, shown)
    made = await kind.rules.convert_all(decoded, kind.api_version)
    return await aside(weight, _completed, kind, made)


def _decoded(shown: Sequence[bytes]) -> list[Json]:
    return [objects.decode(each) for each in shown]


def _completed(kind: Kind, made: Sequence[Json]) -> list[bytes]:
    complete = kind.rules.complete or (lambda obj: obj)
    return [objects.to_json(complete(each)) for each in made]
