"""HTTP for probes and lifecycle hooks: one GET with aiohttp, on a connection of its own.

It checks no certificates (a probe asks whether somebody answers, not who), follows redirects to the same host only,
and reads at most 10 KiB of the body. Proxies and cookies are not used.

aiohttp is imported at the first probe: most kubelets on hollow runtimes never send one.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kubelet.core.probing import PROBE_OUTPUT_LIMIT
from machinery.process.clock import WALL

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

USER_AGENT: Final = "kube-probe/1.36"
_MAX_REDIRECTS: Final = 10
_HEAD_LIMIT: Final = 64 * 1024
_CONNECT_ERRORS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ETIMEDOUT: "connection timed out",
    errno.ENETUNREACH: "network is unreachable",
}
_Headers = Sequence[tuple[str, str]]


class HttpProblem(Exception):  # noqa: N818 - it is what a probe's event says
    """Nobody answered as HTTP servers do; the text says how."""


async def http_get(
    host: str, port: int, path: str, headers: _Headers, scheme: str, timeout_s: float
) -> tuple[int, bytes]:
    """Return the status and the beginning of the body.

    `timeout_s` is in wall seconds and covers everything. A redirect elsewhere is returned as it is.

    Raises:
        HttpProblem: no connection, no answer in time, or no HTTP.
    """
    url = f"{scheme.lower() or 'http'}://{_netloc(host, port)}{path if path.startswith('/') else '/' + path}"
    if any(sign in text for text in (path, *(part for pair in headers for part in pair)) for sign in "\r\n"):
        raise HttpProblem(f'Get "{url}": a header or the path has a line break')
    try:
        async with WALL.timeout_wall(timeout_s):
            return await _follow(url, headers)
    except TimeoutError as error:
        raise HttpProblem(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error


async def _follow(first: str, headers: _Headers) -> tuple[int, bytes]:
    from yarl import URL

    url = URL(first, encoded=True)
    async with _session() as session:
        for _ in range(_MAX_REDIRECTS):
            status, location, body = await _request(session, url, headers)
            target = url.join(URL(location, encoded=True)) if location else url
            if not (300 <= status < 400 and location) or target.host != url.host:
                return status, body
            url = target
    raise HttpProblem(f'Get "{url}": stopped after {_MAX_REDIRECTS} redirects')


def _session() -> aiohttp.ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=False, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),  # the caller's holds
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        max_line_size=_HEAD_LIMIT,
        max_field_size=_HEAD_LIMIT,
    )


async def _request(session: aiohttp.ClientSession, url: URL, headers: _Headers) -> tuple[int, str, bytes]:
    import aiohttp

    try:
        async with session.get(url, headers=_with_defaults(headers), allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await _beginning(answer)
    except aiohttp.ClientConnectorError as error:
        where, why = _netloc(url.host or "", url.port or 0), describe_os_error(error.os_error)
        raise HttpProblem(f'Get "{url}": dial tcp {where}: {why}') from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpProblem(f'Get "{url}": {_describe(error)}') from error


def _with_defaults(headers: _Headers) -> list[tuple[str, str]]:
    """Return the headers to send: a default gives way to one of the same name, also to an empty one."""
    own = {name.lower() for name, _ in headers}
    defaults = [("User-Agent", USER_AGENT), ("Accept", "*/*")]
    return [
        *(each for each in defaults if each[0].lower() not in own),
        *((name, value) for name, value in headers if value),
    ]


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Read what there is, up to the limit; the body only makes an event's text, so a cut one is no error."""
    import aiohttp

    body = bytearray()
    try:
        while len(body) < PROBE_OUTPUT_LIMIT:
            piece = await answer.content.read(PROBE_OUTPUT_LIMIT - len(body))
            if not piece:
                break
            body += piece
    except aiohttp.ClientPayloadError:
        pass
    return bytes(body)


def describe_os_error(error: OSError) -> str:
    """Write a failed connection as users of probes know it."""
    known = _CONNECT_ERRORS.get(error.errno or 0)
    return f"connect: {known}" if known else str(error)


def _describe(error: Exception) -> str:
    import aiohttp

    match error:
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.ClientResponseError():
            return f"malformed HTTP response: {error.message.strip().splitlines()[0]}"
        case ConnectionResetError():
            return "read: connection reset by peer"
        case _:
            return str(error)


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
