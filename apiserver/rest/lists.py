"""Lists as JSON: around items that are joined, and compressed, once for all who ask until the collection changes."""

from __future__ import annotations

import asyncio
from typing import Final

from apiserver.request import ListReply
from apiserver.rest import envelopes, gzip_parts
from apiserver.rest.replies import ASIDE_FROM, Reply, is_worth_compressing, reply

_FORM: Final = "rest-gzip"


async def list_reply(answer: ListReply, *, accepts_gzip: bool) -> Reply:
    """Answer with a list."""
    if not accepts_gzip and sum(len(item.json) for item in answer.items) > answer.items.LARGEST:
        return reply(_large(answer))
    items = envelopes.list_items(answer)
    if not (accepts_gzip and is_worth_compressing(len(items))):
        return reply(b"".join((envelopes.list_head(answer), items, envelopes.LIST_TAIL)))
    part = answer.items.kept(_FORM) or await _compressed(items)
    if answer.items.repeats(_FORM):
        answer.items.keep(_FORM, part, len(part.deflated))
    body = gzip_parts.join(envelopes.list_head(answer), part, envelopes.LIST_TAIL)
    return reply(body, encoding="gzip")


def _large(answer: ListReply) -> bytes:
    """Write a list that is too large to be kept: by one copy."""
    parts = [item.json for item in answer.items]
    parts[0] = envelopes.list_head(answer) + parts[0]
    parts[-1] += envelopes.LIST_TAIL
    return b",".join(parts)


async def _compressed(items: bytes) -> gzip_parts.Part:
    if len(items) > ASIDE_FROM:
        return await asyncio.to_thread(gzip_parts.part, items)
    return gzip_parts.part(items)
