"""The store in etcd (v3 protocol, etcd 3.4 and later).

Writes are transactions that compare the key's mod revision first, and that of the condition's key where there is one.
When no answer came:
- an update or delete is sent again: no key comes back to a revision that it has left, so at most one of the
  two can happen (and neither where the condition's key has moved);
- a create is not, since "no such key" may come true again: the key is read instead.
If the key then holds our very bytes, the write had happened. Whatever else is found, the outcome stays unknown,
and the caller is told so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from apiserver.storage.alarms import Alarms
from apiserver.storage.endpoints import AnswerTooLargeError, Endpoints, EtcdTls, Member, ThroughSeam, to_error
from apiserver.storage.interface import (
    Differs,
    EventBatch,
    Moved,
    Outcome,
    Page,
    StorageEvent,
    Stored,
    Unmoved,
    Written,
    check_size,
)
from machinery.model.errors import BadRequest, DeadlineExceeded, Expired, OutcomeUnknown, Unavailable
from machinery.pb import etcd_pb2 as pb
from machinery.process.clock import WALL
from machinery.rpc.status import NotConnected, RpcError

ATTEMPT_TIMEOUT_S: Final = 3.0  # wall seconds; a leader election of three members takes 1 to 2
LEASE_SHARED_S: Final = 60  # keys that are written within so many seconds share a lease
_FIRST_PAGE, _LARGEST_PAGE = (
    32,
    1_000,
)  # keys a Range: even the first one is not too large, whatever they hold
_PAGE_BYTES: Final = (
    4 * 1024 * 1024
)  # what a Range should bring, so that a large collection stalls neither side
_EVERY_KEY: Final = b"\x00"
_NEEDS_LEADER: Final = (("hasleader", "true"),)  # a member that lost its quorum ends the watch
_REVISION_PROBE: Final = pb.RangeRequest(key=b"compact_rev_key", count_only=True)


class EtcdStorage:
    """Implements `apiserver.storage.interface.Storage`."""

    def __init__(
        self,
        servers: Sequence[str],
        tls: EtcdTls | None = None,
        *,
        seam: ThroughSeam = lambda channel, _member: channel,
        attempt_timeout_s: float = ATTEMPT_TIMEOUT_S,
        caller: str = "",
    ) -> None:
        self._endpoints = Endpoints(
            servers,
            tls,
            attempt_timeout_s=attempt_timeout_s,
            caller=caller,
            seam=seam,
        )
        self._leases = _SharedLeases(self._endpoints)
        self._alarms = Alarms(self._endpoints)

    async def revision(self) -> int:
        """Return the newest revision."""
        return int((await self._range(_REVISION_PROBE)).header.revision)

    async def get(self, key: str) -> Stored | None:
        """Read one key."""
        answer = await self._range(pb.RangeRequest(key=key.encode()))
        return _stored(answer.kvs[0]) if answer.kvs else None

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start: str = "") -> Page:
        """Read the keys with a prefix, in pages that show one revision.

        Raises:
            Expired: the revision is compacted.
            BadRequest: it is still to come.
        """
        items: list[Stored] = []
        key, end = (start or prefix).encode(), prefix_end(prefix)
        size = _FIRST_PAGE
        while True:
            asked = min(size, limit - len(items)) if limit else size
            try:
                answer = await self._page(key, end, revision, asked)
            except AnswerTooLargeError:
                if asked == 1:
                    raise
                size = asked // 2
                continue
            revision = revision or answer.header.revision
            items += [_stored(kv) for kv in answer.kvs]
            if not answer.more or len(items) == limit:
                return Page(items, revision, answer.more, answer.count - len(answer.kvs))
            key = answer.kvs[-1].key + b"\x00"
            size = next_page(size, [len(kv.value) for kv in answer.kvs])

    async def _page(self, key: bytes, end: bytes, revision: int, size: int) -> pb.RangeResponse:
        try:
            return await self._range(pb.RangeRequest(key=key, range_end=end, limit=size, revision=revision))
        except BadRequest as error:
            raise await self._wrong_revision(revision, error) from error

    async def create(
        self, key: str, value: bytes, *, ttl_s: int = 0, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is not there.

        Raises:
            OutcomeUnknown: no answer came, and the key does not hold this value.
        """
        check_size(key, value)
        lease = await self._leases.lease(ttl_s) if ttl_s else 0
        request = _if_at(key, 0, provided)
        put = request.success.add().request_put
        put.key, put.value, put.lease = key.encode(), value, lease
        try:
            return _outcome(await self._endpoints.call(_txn(request), attempts=1), request)
        except OutcomeUnknown as error:
            current = await self.get(key)
            if current is not None and current.value == value:
                return Written(current.revision)
            raise error from None

    async def update(
        self, key: str, value: bytes, expected_revision: int, *, provided: Unmoved | None = None
    ) -> Outcome:
        """Write a key that is at a revision.

        Raises:
            TooLarge: the object is over the limit.
            OutcomeUnknown: it is not known whether it was written.
            Unavailable: etcd does not answer.
        """
        check_size(key, value)
        request = _if_at(key, expected_revision, provided)
        put = request.success.add().request_put
        put.key, put.value, put.ignore_lease = key.encode(), value, True
        return await self._write(request, value)

    async def delete(self, key: str, expected_revision: int, *, provided: Unmoved | None = None) -> Outcome:
        """Delete a key that is at a revision.

        Raises:
            OutcomeUnknown: it is not known whether it was deleted.
            Unavailable: etcd does not answer.
        """
        request = _if_at(key, expected_revision, provided)
        request.success.add().request_delete_range.key = key.encode()
        return await self._write(request, None)

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[EventBatch, None]:
        """Yield what is written after a revision.

        Raises:
            Expired: the revision is compacted.
            Unavailable: the member ended the watch, or has gone.
        """
        member = self._endpoints.choose()
        call = member.watch.Watch(metadata=_NEEDS_LEADER)
        try:
            await call.write(pb.WatchRequest(create_request=_watch_request(prefix, after_revision + 1)))
            async for batch in _batches(call, after_revision):
                yield batch
            raise Unavailable(f"etcd at {member.address} ended the watch")
        except RpcError as exc:
            self._endpoints.leave(member)
            raise to_error(exc, member.address) from exc
        finally:
            call.cancel()

    async def compact(self, revision: int) -> None:
        """Forget the history before a revision; one that is forgotten already is fine.

        Raises:
            BadRequest: the revision is still to come.
        """
        request = pb.CompactionRequest(revision=revision)
        try:
            await self._endpoints.call(lambda member, timeout: member.kv.Compact(request, timeout=timeout))
        except BadRequest as error:
            wrong = await self._wrong_revision(revision, error)
            if not isinstance(wrong, Expired):
                raise wrong from error

    @property
    def problem(self) -> str:
        """Etcd's alarms."""
        return self._alarms.problem

    async def follow_problem(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Ask for the alarms while there is reason to, for ever."""
        await self._alarms.follow(sleep)

    async def size_bytes(self) -> int:
        """Return what the database of the member that answers takes on its disk."""
        return (await self._alarms.status()).dbSize

    async def aclose(self) -> None:
        """Close the channels."""
        await self._endpoints.aclose()

    async def _range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        answer: pb.RangeResponse = await self._endpoints.call(
            lambda member, timeout: member.kv.Range(request, timeout=timeout),
        )
        return answer

    async def _wrong_revision(self, revision: int, error: BadRequest) -> BadRequest | Expired:
        """Distinguish a compacted revision from one that is still to come: etcd has one code for both."""
        if revision <= await self.revision():
            return Expired(f"the revision {revision} is compacted")
        return BadRequest(f"the revision {revision} is still to come: {error.message}")

    async def _write(self, request: pb.TxnRequest, value: bytes | None) -> Outcome:
        sent = 0

        async def send(member: Member, timeout: float) -> pb.TxnResponse:
            nonlocal sent
            sent += 1
            try:
                return await _txn(request)(member, timeout)
            except NotConnected:
                sent -= 1
                raise

        outcome = _outcome(await self._endpoints.call(send), request)
        if sent > 1 and isinstance(outcome, Differs):
            return _resolve(outcome.current, value)
        return outcome


def next_page(size: int, found_bytes: Sequence[int]) -> int:
    """Return for how many keys to ask next, after a page of `size` with values of so many bytes.

    As many of the largest as make a page of `_PAGE_BYTES`, but not at once: what follows may be larger.
    """
    fitting = _PAGE_BYTES // max(1, *found_bytes)
    return max(1, min(fitting, 4 * size, _LARGEST_PAGE))


def prefix_end(prefix: str) -> bytes:
    """Return the end of the range of all keys with a prefix; "" is every key."""
    raw = prefix.encode()
    return raw[:-1] + bytes((raw[-1] + 1,)) if raw else _EVERY_KEY


def _if_at(key: str, expected: int, provided: Unmoved | None = None) -> pb.TxnRequest:
    """Return a transaction that does what is added to it where every comparison holds, and else reads every key that was compared.

    Its parts are filled in where they are: messages that are made first and then copied into others take more than twice as long.
    """
    request = pb.TxnRequest()
    compared = [(key, expected)] if provided is None else [(key, expected), (provided.key, provided.revision)]
    for compared_key, revision in compared:
        raw, compare = compared_key.encode(), request.compare.add()
        compare.target, compare.result = pb.Compare.MOD, pb.Compare.EQUAL
        compare.key, compare.mod_revision = raw, revision
        request.failure.add().request_range.key = raw
    return request


def _txn(request: pb.TxnRequest) -> Callable[[Member, float], Awaitable[pb.TxnResponse]]:
    async def send(member: Member, timeout: float) -> pb.TxnResponse:
        answer: pb.TxnResponse = await member.kv.Txn(request, timeout=timeout)
        return answer

    return send


def _outcome(answer: pb.TxnResponse, request: pb.TxnRequest) -> Outcome:
    if answer.succeeded:
        return Written(answer.header.revision)
    found = [response.response_range.kvs for response in answer.responses]
    current, *others = (_stored(kvs[0]) if kvs else None for kvs in found)
    is_expected = (current.revision if current else 0) == request.compare[0].mod_revision
    return Moved(others[0]) if others and is_expected else Differs(current)


def _resolve(current: Stored | None, value: bytes | None) -> Outcome:
    """Decide what a repeated transaction's refusal means for the first one, whose answer was lost."""
    if current is not None and current.value == value:
        return Written(current.revision)
    raise DeadlineExceeded(
        "the connection to etcd broke during the write, and the key has changed since: it may have happened",
    )


def _stored(kv: pb.KeyValue) -> Stored:
    return Stored(kv.key.decode(), kv.value, kv.mod_revision)


def _watch_request(prefix: str, start_revision: int) -> pb.WatchCreateRequest:
    return pb.WatchCreateRequest(
        key=prefix.encode() or _EVERY_KEY,
        range_end=prefix_end(prefix),
        start_revision=start_revision,
        progress_notify=True,
        fragment=True,
    )


async def _batches(call: Any, position: int) -> AsyncIterator[EventBatch]:
    """Read a watch stream. A revision is told in one batch, even if etcd sends it in fragments."""
    gathered: list[StorageEvent] = []
    async for answer in call:
        if answer.canceled:
            raise _ended(answer, position)
        if answer.created:
            yield EventBatch((), position)
            continue
        gathered += [_event(event) for event in answer.events]
        if answer.fragment:
            continue
        position = gathered[-1].revision if gathered else max(position, answer.header.revision)
        yield EventBatch(gathered, position)
        gathered = []


def _ended(answer: pb.WatchResponse, position: int) -> Expired | Unavailable:
    if answer.compact_revision:
        return Expired(f"the revision {position} is compacted; the oldest is {answer.compact_revision}")
    return Unavailable(f"etcd cancelled the watch: {answer.cancel_reason or 'no reason given'}")


def _event(event: pb.Event) -> StorageEvent:
    value = None if event.type == pb.Event.DELETE else event.kv.value
    return StorageEvent(event.kv.key.decode(), value, event.kv.mod_revision)


class _SharedLeases:
    """Leases for keys with a ttl: one for all keys of a ttl that are written within a minute."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._open: dict[int, tuple[int, float]] = {}  # ttl → lease, end of sharing (loop time)

    async def lease(self, ttl_s: int) -> int:
        """Return a lease that ends `ttl_s` to `ttl_s` + LEASE_SHARED_S from now."""
        now = WALL.monotonic_wall()
        lease, shared_until = self._open.get(ttl_s, (0, 0.0))
        if now >= shared_until:
            request = pb.LeaseGrantRequest(TTL=ttl_s + min(LEASE_SHARED_S, ttl_s))
            with suppress(KeyError):
                del self._open[ttl_s]
            answer = await self._endpoints.call(
                lambda member, timeout: member.lease.LeaseGrant(request, timeout=timeout),
            )
            lease = answer.ID
            self._open[ttl_s] = (lease, now + min(LEASE_SHARED_S, ttl_s))
        return int(lease)
