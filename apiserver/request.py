"""What the front doors hand to the registry, and what they get back: plain values, no door in them.

A door authenticates the caller, builds one `Request`, lets the gate authorize it and passes it to the method of
`apiserver.registry.Registry` that its verb names. What comes back is JSON bytes, ready to be written to the
wire; a failed request raises one of `machinery.model.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

from machinery.model.causes import CauseRef
from machinery.model.requests import EventType, Fence, PatchType

INITIAL_EVENTS_END = "k8s.io/initial-events-end"  # annotation of the bookmark that ends the initial events


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(
        default=(), compare=False
    )  # for the caller, about the token it has shown


class ListOptions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which objects, and how fresh (query of list, watch and deletecollection)."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0  # 0: no pages
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""  # "", "Exact", "NotOlderThan"
    allow_bookmarks: bool = False  # watch only, as are the two below
    send_initial_events: bool | None = None
    timeout_s: int | None = None  # wall seconds; None: the server's own limit


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How to write (query of create, update and patch)."""

    dry_run: bool = False
    field_validation: str = ""  # "" (means Warn), "Ignore", "Warn", "Strict"
    field_manager: str = ""  # "" where the request names none: what the user agent begins with writes
    user_agent: str = ""
    force: bool | None = None  # of an apply patch; None: not said


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How to delete (metav1.DeleteOptions)."""

    grace_period_s: int | None = None  # None: the object's own
    propagation_policy: str = ""  # "", "Orphan", "Background", "Foreground"
    uid: str = ""  # precondition
    resource_version: str = ""  # precondition
    dry_run: bool = False
    tells_pending: bool = False  # orphanDependents=false: HTTP 202 where the object is still there


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request, as both doors put it."""

    user: UserInfo
    verb: str  # get, list, watch, create, update, patch, delete, deletecollection; connect: to admission only
    group: str = ""  # "" for the core group
    version: str = "v1"
    resource: str  # plural: "pods"
    subresource: str = ""
    namespace: str = ""  # "" for cluster-scoped resources, and for all namespaces in list and watch
    name: str = ""
    resource_version: str = ""  # get only: "" as of now, "0" as the cache has it, "n" not older than that
    query: tuple[
        tuple[str, str], ...
    ] = ()  # get only, of what another server serves: what else stands in the URL
    selection: ListOptions = ListOptions()  # list, watch, deletecollection
    writing: WriteOptions = WriteOptions()  # create, update, patch
    deleting: DeleteOptions = DeleteOptions()  # delete, deletecollection
    body: bytes = b""  # create, update: the object as JSON; patch: the patch as JSON
    repeated: tuple[str, ...] = ()  # of a body that was YAML: which keys it says again, and where
    patch_type: PatchType | None = None
    fence: Fence | None = None  # of a write: the leadership under which it is made


def request_about(target: Any, user: UserInfo, verb: str, **options: Any) -> Request:
    """Build the request of a verb on what a path or a message names: both have the fields of a `Request` for that."""
    return Request(
        user=user,
        verb=verb,
        group=target.group,
        version=target.version,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
        **options,
    )


def options_of(request: Request) -> dict[str, Any]:
    """Return the options of a write as an object of meta.k8s.io/v1, as webhooks are told them; a connection has none."""
    if request.verb == "connect":
        return {}
    writing, deleting = request.writing, request.deleting
    if request.verb in {"delete", "deletecollection"}:
        preconditions = {"uid": deleting.uid, "resourceVersion": deleting.resource_version}
        found: dict[str, Any] = {
            "gracePeriodSeconds": deleting.grace_period_s,
            "propagationPolicy": deleting.propagation_policy or None,
            "preconditions": {name: value for name, value in preconditions.items() if value} or None,
            "dryRun": ["All"] if deleting.dry_run else None,
        }
    else:
        found = {
            "fieldManager": writing.field_manager or None,
            "fieldValidation": writing.field_validation or None,
            "force": True if writing.force else None,
            "dryRun": ["All"] if writing.dry_run else None,
        }
    kind = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}.get(
        request.verb, "DeleteOptions"
    )
    said = {name: value for name, value in found.items() if value is not None}
    return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **said}


class Part(NamedTuple):
    """The write of one of several objects that come by one request."""

    request: Request
    causes: tuple[CauseRef, ...]


class ObjectReply(msgspec.Struct, frozen=True, gc=False):
    """One object (or, after a delete, a Status), as JSON with its resourceVersion."""

    json: bytes
    uid: str = ""
    revision: int = 0  # 0 for what is not stored: a Status, a review
    created: bool = False  # HTTP 201 instead of 200
    warnings: tuple[str, ...] = ()
    accepted: bool = False  # HTTP 202: what is to be deleted is still there


class Item(Protocol):
    """One object of a list."""

    @property
    def json(self) -> bytes:
        """The object, with its resourceVersion."""
        ...

    @property
    def uid(self) -> str:
        """Its uid."""
        ...

    @property
    def revision(self) -> int:
        """Its resourceVersion."""
        ...


class SharedItems(Sequence[Item]):
    """The items of a page; as long as a collection does not change, all who list it get the same.

    So what a door has made of them for the second time is kept, as it is with events, unless it is large.
    """

    __slots__ = ("_asked", "_frames", "_items", "_size_bytes")

    LARGEST: ClassVar = 2 * 1024 * 1024  # bytes of a frame that is kept

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._size_bytes = -1
        self._asked: set[str] = set()
        self._frames: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def size_bytes(self) -> int:
        """How many bytes of JSON they are."""
        if self._size_bytes < 0:
            self._size_bytes = sum([len(item.json) for item in self._items])
        return self._size_bytes

    def repeats(self, form: str) -> bool:
        """Whether this was asked before: what is needed once only is not worth its memory."""
        if form in self._asked:
            return True
        self._asked.add(form)
        return False

    def kept(self, form: str) -> Any:
        """Return what is kept of a form, None where there is nothing."""
        return self._frames.get(form)

    def keep(self, form: str, value: Any, size_bytes: int) -> None:
        """Keep what was made, unless it is large."""
        if size_bytes <= self.LARGEST:
            self._frames[form] = value


@dataclass(frozen=True, slots=True)
class ListReply:
    """A page of a collection at one revision; the doors put the envelope around the items."""

    api_version: str  # of the items; the list's kind is `kind` + "List"
    kind: str
    items: SharedItems
    revision: int
    continue_: str = ""  # "" on the last page
    remaining: int | None = None  # None where it is not known (a selector is at work)
    is_cached: bool = (
        True  # whether others may get the same items; what was read from the store is this reader's own
    )
    items_say_kind: bool = True  # at the REST door; those of Kubernetes' own kinds do not


class SharedEvent:
    """One watch event, shared by all watchers that get it: every door encodes it once.

    `json` is the object with its resourceVersion: the last state for DELETED, the empty object of the kind with
    nothing but a resourceVersion for BOOKMARK.
    """

    __slots__ = ("_frames", "json", "revision", "type", "uid")

    def __init__(self, type_: EventType, json: bytes, uid: str, revision: int) -> None:
        self.type = type_
        self.json = json
        self.uid = uid
        self.revision = revision
        self._frames: dict[str, Any] = {}

    def frame(self, door: str, encode: Callable[[SharedEvent], bytes]) -> bytes:
        """Return the event as a door writes it; `encode` runs once per door ("rest", "grpc", "rest-table"...)."""
        frame: bytes | None = self._frames.get(door)
        if frame is None:
            frame = self._frames[door] = encode(self)
        return frame


class SharedBatch(Sequence[SharedEvent]):
    """Events in order, told at once to many watchers: every door puts them together once."""

    __slots__ = ("_events", "_frames", "_portions", "size_bytes")

    PORTION: ClassVar = 512 * 1024  # bytes of JSON that are written at one go

    def __init__(self, events: Iterable[SharedEvent]) -> None:
        self._events = tuple(events)
        self._frames: dict[str, bytes] = {}
        self._portions: tuple[SharedBatch, ...] = ()
        self.size_bytes = sum([len(event.json) for event in self._events])  # of JSON

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: Any) -> Any:
        return self._events[index]

    def __iter__(self) -> Iterator[SharedEvent]:
        return iter(self._events)

    @property
    def portions(self) -> tuple[SharedBatch, ...]:
        """The same events in batches that can be written at one go; an event is never divided."""
        if self.size_bytes <= self.PORTION or len(self._events) < 2:
            return (self,)
        if not self._portions:
            self._portions = tuple(map(SharedBatch, _portioned(self._events, self.PORTION)))
        return self._portions

    def frame(self, door: str, encode: Callable[[SharedEvent], bytes]) -> bytes:
        """Return the events as a door writes them, one after the other; `encode` writes one, once per door."""
        frame = self._frames.get(door)
        if frame is None:
            frame = self._frames[door] = b"".join([event.frame(door, encode) for event in self._events])
        return frame


def _portioned(events: Sequence[SharedEvent], most_bytes: int) -> Iterator[Sequence[SharedEvent]]:
    begin, size = 0, 0
    for end, event in enumerate(events):
        if size and size + len(event.json) > most_bytes:
            yield events[begin:end]
            begin, size = end, 0
        size += len(event.json)
    yield events[begin:]


class Sink(Protocol):
    """Where a door writes the events of a watch."""

    def write(self, batch: SharedBatch) -> bool:
        """Write a batch, whatever comes; False where the caller has to take some before there is more."""
        ...

    async def drained(self) -> None:
        """Wait until there is room.

        Raises:
            ConnectionError: the caller has gone, or takes nothing.
        """
        ...


class WatchReply(Protocol):
    """A watch that is established: iterate over batches, or have them delivered, then close it."""

    def __aiter__(self) -> AsyncIterator[SharedBatch]:
        """Yield batches of events in order; ends when the timeout is over or the server stops.

        Raises Expired in the middle where the watcher was too slow to keep its place.
        """
        ...

    async def deliver(self, sink: Sink) -> None:
        """Write batches into a sink, in order, as they come; returns and raises where iterating would end."""
        ...

    async def aclose(self) -> None:
        """End the watch. Idempotent."""
        ...
