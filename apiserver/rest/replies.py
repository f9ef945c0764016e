"""Responses of the door: bytes, headers, compression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from machinery.model.errors import ApiError

if TYPE_CHECKING:
    from aiohttp import web

JSON: Final = "application/json"
_COMPRESSED_FROM: Final = 128 * 1024  # bytes, as in Kubernetes
_ASIDE_FROM: Final = 1024 * 1024  # bytes: compressing these takes longer than the loop can be kept waiting
_GZIP: Final = 16 + zlib.MAX_WBITS


async def reply(
    request: web.BaseRequest,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    warnings: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Give a response; large ones are compressed for those who accept it."""
    from aiohttp import web

    response = web.Response(status=status, headers=headers)
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-cache, private"
    for warning in warnings:
        response.headers.add("Warning", f"299 - {_quoted(warning)}")
    if len(body) > _COMPRESSED_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = await _compressed(body)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Accept-Encoding")))
    response.body = body
    return response


async def error_reply(request: web.BaseRequest, error: ApiError) -> web.Response:
    """Give the response of a request that failed: its Status."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
    return await reply(request, msgspec.json.encode(error.to_status()), status=error.code, headers=headers)


async def text_reply(request: web.BaseRequest, text: str, *, status: int = 200) -> web.Response:
    """Give a response for people."""
    return await reply(request, text.encode(), status=status, content_type="text/plain; charset=utf-8")


async def json_reply(request: web.BaseRequest, value: Any) -> web.Response:
    """Give a response of plain values."""
    return await reply(request, msgspec.json.encode(value))


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
    if len(body) > _ASIDE_FROM:
        return await asyncio.to_thread(_compress, body)
    return _compress(body)


def _compress(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def _quoted(warning: str) -> str:
    safe = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in warning)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
