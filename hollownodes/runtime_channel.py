"""The CRI between a kubelet and a simulated runtime in one process: a channel whose messages are handed over as they are.

Both sides keep what they were given and change nothing of it, so nothing is written to bytes and read again. What a handler
refuses arrives as it would over a socket. A call cannot be lost here, so its deadline is not watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from hollownodes.link import Link
from machinery.model.errors import NotImplementedHere
from machinery.rpc.status import RpcError
from machinery.wire.services import answer_to
from machinery.wire.status import to_rpc


class RuntimeChannel:
    """Has what `machinery.wire.stubs.Stub` needs of a channel. `services` are the objects with the RPCs, by their paths."""

    def __init__(self, services: Mapping[str, object], link: Link) -> None:
        self._services = services
        self._link = link

    def unary_unary(self, path: str, **_codecs: Any) -> Callable[..., Any]:
        """Make the multicallable of a method with one answer."""
        behave, link = self._behaviour(path), self._link

        async def call(request: Any, *, timeout: float | None = None, metadata: Any = ()) -> Any:  # noqa: ARG001
            try:
                await link.passed()
                answer = await behave(request, None)
                await link.passed()
            except Exception as error:
                raise _as_rpc_error(error) from error
            else:
                return answer

        return call

    def unary_stream(self, path: str, **_codecs: Any) -> Callable[..., _Stream]:
        """Make the multicallable of a method with a stream of answers."""
        behave = self._behaviour(path)
        return lambda request, **_options: _Stream(behave, request, self._link)

    def _behaviour(self, path: str) -> Callable[[Any, Any], Any]:
        _, service, method = path.split("/")
        return cast("Callable[[Any, Any], Any]", getattr(self._services[service], method, _unbuilt(method)))


class _Stream:
    """A stream of answers that is under way; what a handler may ask of its call."""

    def __init__(self, behave: Callable[[Any, Any], AsyncIterator[Any]], request: Any, link: Link) -> None:
        self._items = cast("AsyncGenerator[Any, None]", behave(request, self))
        self._link = link
        self._has_begun = asyncio.Event()
        self._first: asyncio.Future[Any] | None = None

    async def send_initial_metadata(self, _metadata: Any) -> None:
        """Note that from now on nothing is missed."""
        self._has_begun.set()

    async def begun(self) -> None:
        """Return when the handler has begun to answer."""
        self._first = asyncio.ensure_future(self._items.__anext__())
        await self._has_begun.wait()

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            if self._first is not None:
                yield await self._passed(await self._first)
            async for item in self._items:
                yield await self._passed(item)
        except StopAsyncIteration:
            return
        except Exception as error:
            raise _as_rpc_error(error) from error

    def cancel(self) -> None:
        """End the stream."""
        if self._first is not None and not self._first.done():
            self._first.cancel()
        else:
            asyncio.ensure_future(_closed(self._items))  # noqa: RUF006 - it has nothing to wait for

    async def _passed(self, item: Any) -> Any:
        await self._link.passed()
        return item


async def _closed(items: AsyncGenerator[Any, None]) -> None:
    with suppress(RuntimeError):  # whoever read it was cancelled, and is leaving it at this moment
        await items.aclose()


def _as_rpc_error(error: Exception) -> RpcError:
    return error if isinstance(error, RpcError) else RpcError(*to_rpc(answer_to(error)))


def _unbuilt(method: str) -> Callable[[Any, Any], Any]:
    async def refuse(_request: Any, _context: Any) -> Any:
        raise NotImplementedHere(f"runtime.v1 {method} is not built")

    return refuse
