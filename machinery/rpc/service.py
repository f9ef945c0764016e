"""What a server of gRPC serves: methods, by their paths, and what a handler may ask of its call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from machinery.rpc.status import Metadata


class CallContext(Protocol):
    """What a handler may ask of its call."""

    @property
    def certificate(self) -> bytes:
        """The client's certificate, DER or PEM, which TLS has verified; empty where there is none."""
        ...

    @property
    def address(self) -> str:
        """The client's address; empty on a unix socket, and where it is not known."""
        ...

    def invocation_metadata(self) -> Metadata:
        """Return the metadata of the request."""
        ...

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Set what is sent with the status of an answer that is OK; hashable."""
        ...

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        """Begin to answer: the client hears that the call is being served."""
        ...


class Method(NamedTuple):
    """A method of a service.

    `behave(request, context)` returns an awaitable answer, or an async iterator of answers. Where the client sends several
    requests, it has an async iterator of them. It raises `RpcError` to end the call with another status than OK.
    """

    behave: Callable[[Any, Any], Any]
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes] | None  # None: answers are bytes already
    asks_one: bool
    answers_one: bool
