"""The messages of one connection on their way through its seam: the only place that runs `machinery.model.seam`'s steps.

Adapters make a `Conversation` of the seam that they are handed, the ends of their connection, and how their protocol's
messages are read (`Reading`). They raise in their protocol's words what is raised here as `ApiError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from machinery.model.errors import ApiError, DeadlineExceeded, OutcomeUnknown, as_api_error
from machinery.model.seam import Ends, Message, Outcome, Passage, Seam
from machinery.wire.cause_headers import acting_on
from machinery.wire.stream_passage import ReadError, StreamPassage

T = TypeVar("T")


class Measured(NamedTuple):
    """What an answer tells of itself."""

    revision: int = 0  # of the store; 0 where it does not say
    size: int = 0  # bytes
    error: ApiError | None = None  # where the answer is one that refuses


def no_body(_request: object = None) -> bytes:
    """Return the body of a request that has none."""
    return b""


class Reading(NamedTuple):
    """How a protocol's messages are read for the seam, where it asks."""

    about: Callable[[Any], str]  # the key of the object that a request is about; "" where it is about none
    body: Callable[[Any], bytes] = no_body  # of a request
    measured: Callable[[Any], Measured] = lambda _answer: Measured()
    error: ReadError = as_api_error  # of what a call failed with, which is raised as it is


class Conversation:
    """The calls of one connection."""

    def __init__(self, seam: Seam, ends: Ends, reading: Reading) -> None:
        self._seam = seam
        self._reading = reading
        self.ends = ends

    @property
    def is_idle(self) -> bool:
        """Whether calls that are no streams may be made without the detour over `call`."""
        return self._seam.is_idle

    async def call(
        self,
        method: str,
        request: object,
        send: Callable[[float | None], Awaitable[T]],
        timeout_s: float | None = None,
    ) -> T:
        """Return the answer of `send(timeout_s)`, which is called with what is left of the call's wall seconds.

        Raises:
            ApiError: the seam refuses the call, or has lost its answer.
            DeadlineExceeded: the seam kept the message or its answer longer than the call may take.
            Exception: as `send` raised it.
        """
        passage = self._seam.open(self._message(method, request), is_stream=False)
        if passage is None:
            return await send(timeout_s)
        clock = self._seam.clock
        begun = clock.monotonic_wall()
        outcome = Outcome(OutcomeUnknown("the caller has gone"), 0, 0, 0)
        try:
            async with clock.timeout_wall(timeout_s):
                await passage.before()
                gone_s = clock.monotonic_wall() - begun
                answer = await _send(passage, send, None if timeout_s is None else timeout_s - gone_s)
                measured = self._reading.measured(answer)
                outcome = outcome._replace(revision=measured.revision, size=measured.size)
                if measured.error is None:
                    await passage.answered()
            outcome = outcome._replace(error=measured.error)
        except TimeoutError as error:
            late = DeadlineExceeded("no answer in time")
            outcome = outcome._replace(error=late)
            raise late from error
        except Exception as error:
            outcome = outcome._replace(error=self._reading.error(error))
            raise
        else:
            return answer
        finally:
            passage.after(outcome._replace(took_s=clock.monotonic_wall() - begun))

    def stream(self, method: str, request: object, timeout_s: float | None = None) -> StreamPassage:
        """Return the passage of a stream, which may last so many wall seconds; leaving it ends it.

        Of a stream of requests, nothing is known yet: its request is None.
        """
        passage = self._seam.open(self._message(method, request), is_stream=True)
        if passage is None:
            raise AssertionError("a seam has a passage for every stream")
        return StreamPassage(passage, self._seam, self._reading.error, timeout_s)

    def _message(self, method: str, request: object) -> Message:
        if request is None:
            return Message(self.ends, method, "", acting_on.get(), no_body)
        reading = self._reading
        return Message(
            self.ends, method, reading.about(request), acting_on.get(), partial(reading.body, request)
        )


async def _send(passage: Passage, send: Callable[[float | None], Awaitable[T]], timeout_s: float | None) -> T:
    answer = await send(timeout_s)
    for _ in range(passage.copies - 1):
        with suppress(Exception):  # nobody waits for the answer to a message that the network doubled
            await send(timeout_s)
    return answer
