"""The events of a watch over HTTP, in the form in which they come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from google.protobuf.message_factory import GetMessageClass

from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import MEDIA_TYPE, META, message_pool


async def read_events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield type and object of every event, as JSON or protobuf brings them."""
    if not answer.headers["Content-Type"].startswith(MEDIA_TYPE):
        async for line in answer.content:
            event = json.loads(line)
            yield event["type"], event["object"]
        return
    message = GetMessageClass(message_pool().FindMessageTypeByName(f"{META}.WatchEvent"))
    while head := await answer.content.read(1):
        size = int.from_bytes(head + await answer.content.readexactly(3), "big")
        event = message.FromString(await answer.content.readexactly(size))
        yield event.type, json.loads(protobuf_to_json(event.object.raw))
