"""What the registry needs of a store: keys, bytes, and one revision that counts every write.

Guarantees of every implementation, checked by tests/contract/storage:
- writes of one key are compared and set on the key's last revision; each write has a revision of its own;
- a write may have a condition on another key, which is compared at the moment of the write;
- reads without a revision are linearizable: they see every write that was acknowledged before they began;
- a watch gives every write after its revision, once, in order of revision; it never skips;
- a write ends with an outcome, or with `Unavailable`/`DeadlineExceeded`: then it may have happened or not.

Errors are those of `machinery.model.errors`: `Expired` for compacted revisions, `BadRequest` for revisions that
are still to come.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import msgspec

from machinery.model.errors import TooLarge

LARGEST: Final = 1_500_000  # bytes of key and value; etcd's own limit is 1.5 MiB for a request


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A key's value, and the revision of the write that put it there."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Page:
    """Keys of a prefix in order, all at one revision."""

    items: Sequence[Stored]
    revision: int  # what the page shows; a watch continues from here
    more: bool = False  # whether a limit cut it off
    remaining: int = 0  # how many keys come after the last item


class Written(msgspec.Struct, frozen=True, gc=False):
    """The write happened, as this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Differs:
    """The write did not happen: the key is not at the revision that was expected, but holds `current`."""

    current: Stored | None  # None: there is no such key


class Unmoved(msgspec.Struct, frozen=True, gc=False):
    """A condition of a write: another key is still at this revision."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The write did not happen: the key of its condition is not at its revision any more, but holds `current`.

    The key to be written is at the revision that was expected: where both differ, the outcome is `Differs`.
    """

    current: Stored | None  # None: there is no such key


Outcome: TypeAlias = Written | Differs | Moved


class StorageEvent(msgspec.Struct, frozen=True, gc=False):
    """One write, as a watch tells it."""

    key: str
    value: bytes | None  # None: the key was deleted
    revision: int


class EventBatch(msgspec.Struct, frozen=True, gc=False):
    """Events in order of revision. With them the watch has told everything up to `revision`."""

    events: Sequence[StorageEvent]
    revision: int


def check_size(key: str, value: bytes) -> None:
    """Refuse what no store takes.

    Raises:
        TooLarge: nothing was written.
    """
    if len(key) + len(value) > LARGEST:
        raise TooLarge(f"the object takes {len(value)} bytes; the store takes at most {LARGEST}")


class Storage(Protocol):
    """A store with revisions."""

    async def revision(self) -> int:
        """Return the newest revision; linearizable."""
        ...

    async def get(self, key: str) -> Stored | None:
        """Read one key; linearizable."""
        ...

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start: str = "") -> Page:
        """Read the keys with a prefix, as of a revision (0: now, linearizable).

        `start` is the first key of the page ("" for the prefix' first).

        Raises:
            Expired: the revision is compacted.
            BadRequest: the revision is still to come.
        """
        ...

    async def create(
        self, key: str, value: bytes, *, ttl_s: int = 0, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is not there; `Differs` if it is.

        With `ttl_s` (wall seconds, 0 for never) it goes by itself. `provided` is compared in the same transaction.
        """
        ...

    async def update(
        self, key: str, value: bytes, expected_revision: int, *, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is at a revision. A ttl that it had stays."""
        ...

    async def delete(self, key: str, expected_revision: int, *, provided: Unmoved | None = None) -> Outcome:
        """Delete a key that is at a revision."""
        ...

    def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[EventBatch, None]:
        """Yield what is written to the keys with a prefix ("" for all keys), after a revision.

        The first batch comes at once and is empty: the watch is established. Empty batches may follow: they
        tell progress. Ends only with an error or by `aclose()`.

        Raises:
            Expired: the revision is compacted.
            Unavailable: the connection broke; watch again after the last revision that was yielded.
        """
        ...

    async def compact(self, revision: int) -> None:
        """Forget the history before a revision. What is compacted already stays so."""
        ...

    @property
    def problem(self) -> str:
        """What the store says is wrong with itself, as a quota that is reached; "" where all is well, as far as is known."""
        ...

    async def follow_problem(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Keep `problem` up to date, for ever; `sleep` takes wall seconds."""
        ...

    async def size_bytes(self) -> int:
        """Return what the store's database takes on its disk; 0 where it has none."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        ...
