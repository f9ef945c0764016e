"""The seam of a gRPC client: a channel whose calls and streams pass it. For every channel of that shape, etcd's too.

A channel of its own rather than gRPC's interceptors: those make a task of every call, also of the healthy ones. What
the seam has nothing to do with is the call object that the channel itself makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from machinery.client.seam_stream import SeamStream, api_errors, rpc_errors
from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation, StreamPassage
from machinery.wire.messages import Reading


def through(channel: Any, seam: Seam | None, ends: Ends, reading: Reading = Reading()) -> Any:  # noqa: B008 - a value
    """Put the seam into a `grpc.aio.Channel`; without one, return the channel itself."""
    return channel if seam is None else SeamChannel(channel, Conversation(seam, ends), reading)


class SeamChannel:
    """A channel whose calls pass a seam; everything else is the channel's own."""

    def __init__(self, channel: Any, conversation: Conversation, reading: Reading) -> None:
        self._channel = channel
        self._conversation = conversation
        self._reading = reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, path: str, **codecs: Any) -> Callable[..., Any]:
        """Return the multicallable of a method with one request and one answer."""
        bare, conversation = self._channel.unary_unary(path, **codecs), self._conversation
        passed = partial(self._call, bare, _method(path))

        def call(request: Any, **options: Any) -> Any:
            return bare(request, **options) if conversation.is_idle else passed(request, **options)

        return call

    def unary_stream(self, path: str, **codecs: Any) -> Callable[..., SeamStream]:
        """Return the multicallable of a method with one request and a stream of answers."""
        bare, begin = self._channel.unary_stream(path, **codecs), partial(self._begin, _method(path))
        return lambda request, **options: SeamStream(
            partial(bare, request, **options), lambda _: begin(options, request)
        )

    def stream_stream(self, path: str, **codecs: Any) -> Callable[..., SeamStream]:
        """Return the multicallable of a method with streams both ways."""
        bare, begin = self._channel.stream_stream(path, **codecs), partial(self._begin, _method(path))
        return lambda **options: SeamStream(partial(bare, **options), partial(begin, options))

    async def _call(
        self, bare: Any, method: str, request: Any, *, timeout: float | None = None, **options: Any
    ) -> Any:
        async def send(left_s: float | None) -> Any:
            with api_errors():
                return await bare(request, timeout=left_s, **options)

        with rpc_errors():
            return await self._conversation.call(
                method,
                send,
                about=self._reading.about(request),
                body=request.SerializeToString,
                timeout_s=timeout,
                measure=lambda answer: (self._reading.revision(answer), answer.ByteSize()),
            )

    def _begin(self, method: str, options: Mapping[str, Any], request: Any) -> StreamPassage:
        timeout_s = options.get("timeout")
        if request is None:
            return self._conversation.stream(method, timeout_s=timeout_s)
        return self._conversation.stream(
            method,
            about=self._reading.about(request),
            body=request.SerializeToString,
            timeout_s=timeout_s,
        )


def _method(path: str) -> str:
    return path.rsplit("/", 1)[-1]
