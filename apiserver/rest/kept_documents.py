"""Documents that clients keep: with a hash by which they ask whether theirs is still the one, and compressed once."""

from __future__ import annotations

import asyncio
import zlib
from hashlib import sha256
from typing import Final

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.replies import Reply, is_worth_compressing, reply

_MOST: Final = (
    8  # documents whose hash and compressed form are known: those that are asked for again and again
)
_GZIP: Final = 16 + zlib.MAX_WBITS


class _Kept:
    __slots__ = ("gzipped", "tag")

    def __init__(self, body: bytes) -> None:
        self.tag = f'"{sha256(body).hexdigest().upper()}"'
        self.gzipped = b""


class KeptDocuments:
    """Answers with documents."""

    def __init__(self) -> None:
        self._latest: dict[bytes, _Kept] = {}

    async def answer(self, http: HttpRequest, body: bytes, content_type: str) -> Reply:
        """Answer with a document, unless the caller has it."""
        kept = self._latest.pop(body, None) or _Kept(body)
        self._latest[body] = kept
        if len(self._latest) > _MOST:
            del self._latest[next(iter(self._latest))]
        headers = {"ETag": kept.tag, "Vary": "Accept"}
        if http.headers.get("If-None-Match") == kept.tag:
            return reply(b"", status=304, content_type=content_type, headers=headers)
        if not (http.accepts_gzip and is_worth_compressing(len(body))):
            return reply(body, content_type=content_type, headers=headers)
        if not kept.gzipped:
            kept.gzipped = await asyncio.to_thread(_compressed, body)
        return reply(kept.gzipped, content_type=content_type, headers=headers, encoding="gzip")


def _compressed(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=6, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()
