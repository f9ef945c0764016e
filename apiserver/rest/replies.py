"""Responses of the door: bytes, headers, compression.

They are made from what was found out, and know nothing of the request; the door encodes each once, at the end.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from apiserver.rest.negotiation import PLAIN, Encoding, negotiate
from apiserver.rest.protobuf_answers import status_body
from apiserver.rest.warnings import bounded, header
from machinery.model.errors import ApiError, NotAcceptable

if TYPE_CHECKING:
    from aiohttp import web

JSON: Final = "application/json"
_COMPRESSED_FROM: Final = 128 * 1024  # bytes, as in Kubernetes
ASIDE_FROM: Final = 1024 * 1024  # bytes: compressing these takes longer than the loop can be kept waiting
YAML_WEIGHT: Final = 4  # bytes of JSON that are read and checked as fast as one is written as YAML
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class Reply:
    """A response that is complete, except for what all responses have: the door and the connection add it."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]
    encoding: str = ""  # of the body

    def to_response(self) -> web.Response:
        """Return it as aiohttp's."""
        from aiohttp import web

        response = web.Response(status=self.status, body=self.body, headers=self.headers)
        response.headers["Server"] = "kubarium"
        return response


def reply(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    warnings: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    encoding: str = "",
) -> Reply:
    """Make a response."""
    fields = [("Content-Type", content_type), ("Cache-Control", "no-cache, private")]
    if warnings:
        fields += [("Warning", header(warning)) for warning in bounded(warnings)]
    if headers:
        fields += headers.items()
    return Reply(status, body, fields, encoding)


def error_reply(error: ApiError, accept: str = "") -> Reply:
    """Make the response to a request that failed: its Status, in JSON where the caller accepts no other form of it."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
    body, content_type = _status(error, accept)
    return reply(body, status=error.code, content_type=content_type, headers=headers)


def _status(error: ApiError, accept: str) -> tuple[bytes, str]:
    try:
        encoding = negotiate(accept, PLAIN).encoding
    except NotAcceptable:
        encoding = Encoding.JSON
    if encoding is Encoding.PROTOBUF:
        return status_body(error), encoding.value
    body = msgspec.json.encode(error.to_status())
    return (to_yaml(body), encoding.value) if encoding is Encoding.YAML else (body, JSON)


def as_response(answer: Reply | web.StreamResponse) -> web.StreamResponse:
    """Return an answer as aiohttp's."""
    return answer.to_response() if isinstance(answer, Reply) else answer


def text_reply(text: str, *, status: int = 200) -> Reply:
    """Make a response for people."""
    return reply(text.encode(), status=status, content_type="text/plain; charset=utf-8")


def not_found() -> Reply:
    """Make the response of a path that leads nowhere."""
    return text_reply("404 page not found\n", status=404)


def is_worth_compressing(size_bytes: int) -> bool:
    """Whether a body is large enough to be compressed."""
    return size_bytes > _COMPRESSED_FROM


async def encode(answer: Reply, *, accepts_gzip: bool) -> None:
    """Compress a large body for those who accept it, unless it is encoded already."""
    if accepts_gzip and not answer.encoding and is_worth_compressing(len(answer.body)):
        answer.body, answer.encoding = await _compressed(answer.body), "gzip"
    if answer.encoding:
        answer.headers += (("Content-Encoding", answer.encoding), ("Vary", "Accept-Encoding"))


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
