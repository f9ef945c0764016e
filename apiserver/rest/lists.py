"""Lists: around items that are joined, and compressed, once for all who ask until the collection changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from apiserver.request import ListReply
from apiserver.rest import envelopes, gzip_parts, protobuf_answers
from apiserver.rest.gzip_runs import Runs
from apiserver.rest.negotiation import META_V1BETA1
from apiserver.rest.protobuf_answers import Elements
from apiserver.rest.protobuf_messages import MEDIA_TYPE
from apiserver.rest.replies import ASIDE_FROM, Reply, is_worth_compressing, reply

_FORM: Final = "rest-gzip"
_PLAIN: Final = "rest"
_MOST_PINNED: Final = protobuf_answers.BUDGET // 4  # bytes of messages that a list holds on to


async def list_reply(answer: ListReply, runs: Runs, *, accepts_gzip: bool) -> Reply:
    """Answer with a list as JSON."""
    items, finish = answer.items, envelopes.item_writer(answer)
    if accepts_gzip and is_worth_compressing(items.size_bytes):
        kept: gzip_parts.Part | None = items.kept(_FORM)
        part = kept or await _part(answer, _FORM, [item.json for item in items], b",", runs, finish)
        body = gzip_parts.join(envelopes.list_head(answer), part, envelopes.LIST_TAIL)
        return reply(body, encoding="gzip")
    joined: bytes | None = items.kept(_PLAIN)
    if joined is None and (items.size_bytes > items.LARGEST or not items.repeats(_PLAIN)):
        return reply(_by_one_copy(answer))
    if joined is None:
        opener, inside = envelopes.items_inside(answer)
        joined = (opener if inside else b"") + (b"," + opener).join(inside)
        items.keep(_PLAIN, joined, len(joined))
    return reply(b"".join((envelopes.list_head(answer), joined, envelopes.LIST_TAIL)))


async def protobuf_list_reply(
    answer: ListReply, elements: Elements, runs: Runs, *, metadata_version: str, accepts_gzip: bool
) -> Reply:
    """Answer with a list as protobuf; where `metadata_version` is none (""), of whole objects.

    Raises:
        NotAcceptable: an object of it cannot be written as that.
    """
    if metadata_version == META_V1BETA1:
        items = await elements.messages(answer.items, keep=answer.is_cached)
        return reply(protobuf_answers.beta_list_body(answer, items), content_type=MEDIA_TYPE)
    form = f"rest-protobuf-{bool(metadata_version)}"
    messages = await _messages(answer, form, elements)
    size = sum(map(len, messages))
    head_of = protobuf_answers.metadata_list_head if metadata_version else protobuf_answers.list_head
    head = head_of(answer, size)
    if not (accepts_gzip and is_worth_compressing(size)):
        return reply(b"".join((head, *messages, protobuf_answers.LIST_TAIL)), content_type=MEDIA_TYPE)
    part = await _part(answer, f"{form}-gzip", messages, b"", runs)
    body = gzip_parts.join(head, part, protobuf_answers.LIST_TAIL)
    return reply(body, content_type=MEDIA_TYPE, encoding="gzip")


async def _messages(answer: ListReply, form: str, elements: Elements) -> Sequence[bytes]:
    """Return the messages of a list's items; where it is asked for repeatedly they are kept, joined unless they are many."""
    items = answer.items
    kept: Sequence[bytes] | None = items.kept(form)
    if kept is not None:
        return kept
    messages = await elements.messages(items, keep=answer.is_cached)
    if items.repeats(form):
        size = sum(map(len, messages))
        if size <= items.LARGEST:
            items.keep(form, (b"".join(messages),), size)
        elif answer.is_cached and size <= _MOST_PINNED:
            items.keep(form, messages, len(messages))  # the messages themselves are remembered anyway
    return messages


async def _part(
    answer: ListReply,
    form: str,
    written: Sequence[bytes],
    separator: bytes,
    runs: Runs,
    finish: Callable[[bytes], bytes] = bytes,
) -> gzip_parts.Part:
    """Return the items, as they are written, compressed, which is kept where they are asked for repeatedly."""
    items = answer.items
    part: gzip_parts.Part | None = items.kept(form)
    if part is None and answer.is_cached and len(written) == len(items):
        part = await runs.part(items, written, separator, finish)
    elif part is None:
        part = await _compressed(separator.join(map(finish, written)))
    if items.repeats(form):
        items.keep(form, part, len(part.deflated))
    return part


def _by_one_copy(answer: ListReply) -> bytes:
    """Write a list of which nothing is kept: it is too large for that, or has not been asked for before."""
    opener, inside = envelopes.items_inside(answer)
    if not inside:
        return envelopes.list_head(answer) + envelopes.LIST_TAIL
    inside[0] = b"".join((envelopes.list_head(answer), opener, inside[0]))
    inside[-1] = b"".join((inside[-1], envelopes.LIST_TAIL))
    return (b"," + opener).join(inside)


async def _compressed(items: bytes) -> gzip_parts.Part:
    if len(items) > ASIDE_FROM:
        return await asyncio.to_thread(gzip_parts.part, items)
    return gzip_parts.part(items)
