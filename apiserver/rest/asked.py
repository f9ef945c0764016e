"""A request as the door's pages see it, whichever way it came in.

`aiohttp` gives a `web.BaseRequest`, which fits `Asked` as it is; `apiserver.rest.connection`, which reads the plain
requests itself, gives a `PlainRequest`: complete, with its body.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from machinery.process.tls import Peer

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy, MultiMapping


class Asked(Protocol):
    """What is asked, but for the body."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        ...

    @property
    def host(self) -> str:
        """The Host header."""
        ...

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers."""
        ...

    @property
    def query(self) -> MultiMapping[str]:
        """The query, decoded."""
        ...


class PlainRequest:
    """A request with nothing special about it; implements `Asked`."""

    __slots__ = ("body", "headers", "impersonates", "method", "peer", "raw_path")

    def __init__(
        self,
        method: str,
        raw_path: str,
        headers: CIMultiDictProxy[str],
        body: bytes,
        peer: Peer,
        *,
        impersonates: bool,
    ) -> None:
        self.method = method
        self.raw_path = raw_path  # with the query, percent-encoded
        self.headers = headers
        self.body = body
        self.peer = peer
        self.impersonates = impersonates  # whether a header may say so

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        return unquote(self.raw_path.partition("?")[0])

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers["Host"]

    @property
    def query(self) -> MultiMapping[str]:
        """The query, decoded."""
        return _query(self.raw_path.partition("?")[2])


@lru_cache(maxsize=512)
def _query(text: str) -> MultiMapping[str]:
    from yarl import URL

    return URL.build(query_string=text, encoded=True).query
