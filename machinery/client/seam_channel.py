"""The seam of a gRPC client: a channel whose calls and streams pass it. For every channel of that shape, etcd's too.

What the seam lets alone is the call that the channel makes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from machinery.client.seam_stream import SeamStream
from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation, Reading
from machinery.wire.messages import READING, method_of
from machinery.wire.rpc_errors import rpc_errors


def through(channel: Any, seam: Seam | None, ends: Ends, reading: Reading = READING) -> Any:
    """Return a channel whose calls pass the seam; the channel itself where there is none."""
    return channel if seam is None else SeamChannel(channel, Conversation(seam, ends, reading))


class SeamChannel:
    """A channel whose calls pass a seam; everything else is the channel's own."""

    def __init__(self, channel: Any, conversation: Conversation) -> None:
        self._channel = channel
        self._conversation = conversation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, path: str, **codecs: Any) -> Callable[..., Any]:
        """Return the multicallable of a method with one request and one answer."""
        conversation, method = self._conversation, method_of(path)
        bare = self._channel.unary_unary(path, **codecs)

        async def passed(request: Any, *, timeout: float | None = None, **options: Any) -> Any:
            with rpc_errors():
                return await conversation.call(
                    method, request, lambda left_s: bare(request, timeout=left_s, **options), timeout
                )

        def call(request: Any, **options: Any) -> Any:
            return bare(request, **options) if conversation.is_idle else passed(request, **options)

        return call

    def unary_stream(self, path: str, **codecs: Any) -> Callable[..., SeamStream]:
        """Return the multicallable of a method with one request and a stream of answers."""
        bare = self._channel.unary_stream(path, **codecs)
        begin = partial(self._conversation.stream, method_of(path))
        return lambda request, **options: SeamStream(partial(bare, request, **options), begin)

    def stream_stream(self, path: str, **codecs: Any) -> Callable[..., SeamStream]:
        """Return the multicallable of a method with streams both ways."""
        bare = self._channel.stream_stream(path, **codecs)
        begin = partial(self._conversation.stream, method_of(path))
        return lambda **options: SeamStream(partial(bare, **options), begin)
