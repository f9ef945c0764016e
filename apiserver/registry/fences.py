"""Whether the leadership that a write is made under still stands: compared in the transaction of the write itself.

The registry looks at the lease as the watch cache has it, and lets the store write only while the lease is at that very
revision. Where the lease has moved on, it looks at what it has become: a renewal by the same leader leaves the fence as it
was, and the write is tried again on the new revision; anything else refuses it. See docs/adr/0014-fences.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from apiserver.core.kind import Kind
from apiserver.registry.parts import Parts
from apiserver.storage.interface import Differs, Moved, Outcome, Stored, Unmoved, Written
from machinery.model.errors import Deposed, Unavailable
from machinery.model.requests import Fence

_LEASES: Final = ("coordination.k8s.io", "leases")
_ATTEMPTS: Final = 8  # of one write; a lease is renewed every second or so, a write takes milliseconds


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""


class _Spec(msgspec.Struct, frozen=True):
    holderIdentity: str | None = None
    leaseTransitions: int | None = None


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    spec: _Spec | None = None


_decoder: Final = msgspec.json.Decoder(_Lease)


async def write_fenced(
    parts: Parts, fence: Fence | None, write: Callable[[Unmoved | None], Awaitable[Outcome]]
) -> Written | Differs:
    """Write, provided that the fence holds at that moment; `write` gets the condition for the store.

    Raises:
        Deposed: the lease is held otherwise than the fence says; nothing was written.
        Unavailable: the lease moved at every attempt; nothing was written.
    """
    if fence is None:
        outcome = await write(None)
        assert not isinstance(outcome, Moved)  # noqa: S101 - nothing was compared that could have moved
        return outcome
    leases = parts.catalogue.stored(*_LEASES)
    if leases is None:
        raise _deposed(fence)
    provided = await _condition(parts, leases, fence)
    for _ in range(_ATTEMPTS):
        outcome = await write(provided)
        if not isinstance(outcome, Moved):
            return outcome
        provided = _require(fence, outcome.current)
    raise Unavailable("the lease that the write is fenced with is written all the time")


async def _condition(parts: Parts, leases: Kind, fence: Fence) -> Unmoved:
    """Return the condition by the watch cache; nobody is refused for what it does not know yet."""
    key = leases.key(fence.namespace, fence.name)
    cached = parts.feed.cache(leases).get(f"{fence.namespace}/{fence.name}")
    if cached is not None and _holds(fence, cached.json):
        return Unmoved(key, cached.revision)
    return _require(fence, await parts.storage.get(key))


def _require(fence: Fence, stored: Stored | None) -> Unmoved:
    if stored is None or not _holds(fence, stored.value):
        raise _deposed(fence)
    return Unmoved(stored.key, stored.revision)


def _deposed(fence: Fence) -> Deposed:
    group, plural = _LEASES
    text = f'the lease "{fence.namespace}/{fence.name}" is not held any more by {fence.holder}'
    return Deposed(f"{text}: nothing was written", kind=plural, group=group, name=fence.name)


def _holds(fence: Fence, json: bytes) -> bool:
    lease = _decoder.decode(json)
    spec = lease.spec or _Spec()
    held = (lease.metadata.uid, spec.holderIdentity, spec.leaseTransitions or 0)
    return held == (fence.uid, fence.holder, fence.transitions)
