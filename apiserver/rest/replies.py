"""Responses of the door: bytes, headers, compression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from apiserver.rest.asked import Asked
from machinery.model.errors import ApiError

if TYPE_CHECKING:
    from aiohttp import web

JSON: Final = "application/json"
_COMPRESSED_FROM: Final = 128 * 1024  # bytes, as in Kubernetes
ASIDE_FROM: Final = 1024 * 1024  # bytes: compressing these takes longer than the loop can be kept waiting
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class Reply:
    """A response that is complete. The connection adds what all responses have."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]

    def to_response(self) -> web.Response:
        """Give it as aiohttp's."""
        from aiohttp import web

        response = web.Response(status=self.status, body=self.body, headers=self.headers)
        response.headers["Server"] = "kubarium"
        return response


async def reply(
    request: Asked,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    warnings: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    encoding: str = "",
) -> Reply:
    """Give a response; large ones are compressed for those who accept it, unless they have an encoding already."""
    fields = [("Content-Type", content_type), ("Cache-Control", "no-cache, private")]
    fields += [("Warning", f"299 - {_quoted(warning)}") for warning in warnings]
    if headers:
        fields += headers.items()
    if not encoding and compresses(request, len(body)):
        body, encoding = await _compressed(body), "gzip"
    if encoding:
        fields += (("Content-Encoding", encoding), ("Vary", "Accept-Encoding"))
    return Reply(status, body, fields)


def compresses(request: Asked, size_bytes: int) -> bool:
    """Tell whether a body is large enough to be compressed, and the caller takes that."""
    return size_bytes > _COMPRESSED_FROM and "gzip" in request.headers.get("Accept-Encoding", "")


async def error_reply(request: Asked, error: ApiError) -> Reply:
    """Give the response of a request that failed: its Status."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
    return await reply(request, msgspec.json.encode(error.to_status()), status=error.code, headers=headers)


async def text_reply(request: Asked, text: str, *, status: int = 200) -> Reply:
    """Give a response for people."""
    return await reply(request, text.encode(), status=status, content_type="text/plain; charset=utf-8")


def pretty(body: bytes) -> bytes:
    """Write JSON for people."""
    return msgspec.json.format(body, indent=2) + b"\n"


def to_yaml(body: bytes) -> bytes:
    """Write JSON as YAML."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        msgspec.json.decode(body), Dumper=dumper, default_flow_style=False, allow_unicode=True
    )
    return text.encode()


async def _compressed(body: bytes) -> bytes:
    if len(body) > ASIDE_FROM:
        return await asyncio.to_thread(_compress, body)
    return _compress(body)


def _compress(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def _quoted(warning: str) -> str:
    safe = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in warning)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
