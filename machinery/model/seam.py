"""The one seam of every conversation: what a connection asks about its messages, and in which words.

A connection (a client's transport or channel, a server's handlers, an engine's socket, the plugins that a process
runs) is handed at most one `Seam`. Where it is handed none, its adapter returns the bare connection: there is nothing
to pay for. Where there is one, each call goes like this:

    passage = seam.open(message, is_stream=…)   None: nothing to do with this call, it goes its way untouched
    await passage.before()                      delay it, refuse it, or hang while the link is cut
    …the call is made, `passage.copies` times; the first answer counts…
    await passage.answered()                    a good answer has come, or the first item of a stream: lose it
    await passage.each(item)                    one item of a stream, in either direction, while `passage.attends`:
                                                False drops it
    passage.after(outcome)                      exactly once, whatever happened: record it

Each call has a passage of its own, since what is decided before the call acts after it as well (an answer that is
lost), and since a stream that runs may be broken later (`on_break`). `machinery.wire.conversation` is the one place
that takes these steps; an adapter only says in its protocol's words what a message is, and how an `ApiError` is told.

Implementations: `machinery.process.faults.PlannedFaults` and `machinery.process.recorder.Recorder`; `compose` makes
one seam of several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.model.errors import ApiError

Side: TypeAlias = Literal["client", "server"]
Break: TypeAlias = Callable[[ApiError], None]


class Ends(NamedTuple):
    """A connection: two instances by name ("kubelet@node-3", "apiserver-2"), and at which of them the seam is."""

    caller: str
    callee: str
    protocol: str  # "resources", "rest", "node", "cri", "etcd", "docker", "cni"
    side: Side = "client"


class Message(NamedTuple):
    """A call, as a seam sees it."""

    ends: Ends
    method: str  # as the protocol names it: "Watch", "RunPodSandbox", "Range", "POST containers/create", "ADD bridge"
    about: str  # the key of the object ("pods/default/web-1"); "" where there is none, or not a single one
    causes: tuple[CauseRef, ...]
    body: Callable[[], bytes]  # encodes when it is called; b"" where there is no body


class Outcome(NamedTuple):
    """How a call ended; for a stream, when it did."""

    error: ApiError | None
    revision: int  # of the store, as the answer says; 0 where it does not
    size: int  # bytes of the answer; for a stream, its items
    took_s: float  # wall seconds


class Passage(Protocol):
    """One call on its way through a seam."""

    copies: int  # how often the request is sent; read after `before`

    @property
    def attends(self) -> bool:
        """Whether items have to be shown at present: what is not shown costs nothing, and may not be missed."""
        ...

    async def before(self) -> None:
        """Return when the request may be sent.

        Raises:
            ApiError: it may not; this is how the call ends.
        """
        ...

    async def answered(self) -> None:
        """Return when the caller may have the answer of a call that succeeded, or the first item of a stream.

        Raises:
            ApiError: the answer is lost; this is how the call ends.
        """
        ...

    async def each(self, item: Any) -> bool:
        """Return when an item of a stream, read or written, may be handed on; False drops it.

        Raises:
            ApiError: this is how the stream ends.
        """
        ...

    def after(self, outcome: Outcome) -> None:
        """Record how the call ended. Called exactly once."""
        ...

    def on_break(self, break_: Break) -> None:
        """Register what is called with the error when the seam breaks the running stream."""
        ...


class Seam(Protocol):
    """What a connection asks."""

    clock: Clock  # by which calls are measured

    @property
    def is_idle(self) -> bool:
        """Whether calls may go their way without being shown at present. Streams are shown always."""
        ...

    def open(self, message: Message, *, is_stream: bool) -> Passage | None:
        """Begin the passage of a call; None where there is nothing to do with it. A stream always has one."""
        ...


def compose(*seams: Seam) -> Seam | None:
    """Return one seam that is several, None for none of them.

    The first is the outermost: a recorder before a fault plan records what the caller has to bear.
    """
    if len(seams) > 1:
        return _Composed(seams)
    return seams[0] if seams else None


class _Composed:
    def __init__(self, seams: Sequence[Seam]) -> None:
        self._seams = seams
        self.clock = seams[0].clock

    @property
    def is_idle(self) -> bool:
        return all(seam.is_idle for seam in self._seams)

    def open(self, message: Message, *, is_stream: bool) -> Passage | None:
        opened = (seam.open(message, is_stream=is_stream) for seam in self._seams)
        passages = [passage for passage in opened if passage is not None]
        return _Passages(passages) if len(passages) > 1 else passages[0] if passages else None


class _Passages:
    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self.copies = 1

    @property
    def attends(self) -> bool:
        return any(passage.attends for passage in self._passages)

    async def before(self) -> None:
        for passage in self._passages:
            await passage.before()
        self.copies = max(passage.copies for passage in self._passages)

    async def answered(self) -> None:
        for passage in reversed(self._passages):
            await passage.answered()

    async def each(self, item: Any) -> bool:
        for passage in reversed(self._passages):
            if not await passage.each(item):
                return False
        return True

    def after(self, outcome: Outcome) -> None:
        for passage in self._passages:
            passage.after(outcome)

    def on_break(self, break_: Break) -> None:
        for passage in self._passages:
            passage.on_break(break_)
