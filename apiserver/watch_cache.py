"""The watch cache of one resource: its objects as bytes, its latest changes, its watchers.

The feed (`apiserver.watch_cache_feed`) brings every write in order of revision; lists read the objects, watches
start from the window of latest changes and are then told what comes, in rounds (`apiserver.watch_cache_audience`). The
cache itself changes between two awaits, so a list and the watch that follows it never miss a write.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from apiserver import objects
from apiserver.core.conversion import ConversionNeeded
from apiserver.core.kind import Kind
from apiserver.objects import CachedObject, PackedObject
from apiserver.request import INITIAL_EVENTS_END, SharedBatch, SharedEvent, SharedItems
from apiserver.storage.interface import StorageEvent, Stored
from apiserver.watch_cache_audience import Audience, Rounds
from apiserver.watch_cache_index import Indexes
from apiserver.watch_cache_selection import Selected
from apiserver.watch_cache_watcher import Watcher
from machinery.model.errors import ApiError, Expired
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import EventType

LISTS: Final = 4  # lists of a resource that are kept until it changes
WINDOW: Final = 2_000  # changes; a client that is further behind lists again
WINDOW_BYTES: Final = 8 * 1024 * 1024  # of their objects; a window of large ones is shorter
PACKED_FROM: Final = 1024  # bytes of an object that is worth compressing
_PIECE: Final = 256 * 1024  # bytes that are compressed in one turn of the event loop
RECENT: Final = (
    100  # changes whose events are kept, since watchers that join ask for them, as the doors wrote them
)


Seen: TypeAlias = CachedObject | PackedObject
"""A state of an object in the history: packed, once nothing has happened for a while."""


@dataclass(slots=True)
class Change:
    """One write to the resource, and the events that it is for watchers, made when the first one needs them."""

    revision: int
    old: Seen | None
    new: Seen | None
    size_bytes: int = field(init=False)  # of what it holds that nothing else may hold: the state before
    _events: dict[EventType, SharedEvent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note the size as long as it costs nothing to find out."""
        self.size_bytes = len(self.old.json) if self.old else 0

    def forget_events(self) -> None:
        """Drop the events, which are made again where somebody needs them."""
        self._events.clear()

    def event(self, kind: Kind, selected: Selected) -> SharedEvent | None:
        """Return what the change is for a watcher: an object that leaves the selection is deleted for it."""
        was = self.old is not None and selected.matches(self.old)
        if self.new is not None and selected.matches(self.new):
            return self._shared(kind, EventType.MODIFIED if was else EventType.ADDED, self.new)
        return self._shared(kind, EventType.DELETED, self.old) if was and self.old else None

    def _shared(self, kind: Kind, type_: EventType, obj: Seen) -> SharedEvent:
        if type_ not in self._events:
            json = obj.json
            if type_ is EventType.DELETED:  # the last state, with the revision of the write that ended it
                json = objects.with_revision(kind, objects.without_revision(kind, json), self.revision)
            self._events[type_] = SharedEvent(type_, json, obj.uid, self.revision)
        return self._events[type_]


@dataclass(slots=True)
class Progress:
    """How far the caches of one feed are: they have everything up to this revision of the store."""

    revision: int = 0


class Follower(Protocol):
    """What keeps something that follows from the objects. Neither method waits."""

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again: these are all objects."""
        ...

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write: `old` is None for a new object, `new` for one that is gone."""
        ...


class WatchCache:
    """The objects of one resource at one revision."""

    def __init__(
        self,
        kind: Kind,
        *,
        window: int = WINDOW,
        progress: Progress | None = None,
        log: EventLog = SILENT,
    ) -> None:
        self.kind = kind
        self._log = log
        self._progress = progress or Progress()
        self._views: list[WatchCache] = []  # the same objects in other versions
        self._places: list[str] = []
        self._objects: dict[str, CachedObject] = {}
        self._lists: dict[Selected, SharedItems] = {}  # what was listed since the last change
        self._window: deque[Change] = deque(maxlen=window)
        self._window_bytes = 0
        self._window_start = 0  # a watch may start after this revision
        self._looked_at = self._packed_at = (
            0  # the latest change, when `pack` looked for it and when it packed
        )
        self._rounds = Rounds()
        self._audiences: dict[Selected, Audience] = {}
        # Dicts without values are sets in order: who came first is told first, in every run.
        self._triggers: dict[str, dict[str, dict[Selected, None]]] = {}  # field → value → who needs it
        self._untriggered: dict[Selected, None] = {}
        self._subscribers: list[Callable[[], None]] = []
        self._followers: list[Follower] = []
        self._indexes = Indexes()

    def __len__(self) -> int:
        return len(self._objects)

    def __bool__(self) -> bool:
        return True  # also where it is empty

    @property
    def revision(self) -> int:
        """The store's revision that this is: everything up to it is in here."""
        return self._progress.revision

    def view(self, kind: Kind) -> WatchCache:
        """Return a cache of another version of the kind; it follows this one until `drop_view`."""
        view = WatchCache(kind, window=self._window.maxlen or WINDOW, progress=self._progress, log=self._log)
        found = [obj for obj in view.converted(self.every(), self.kind) if obj]
        window = [
            Change(each.revision, view._converted(each.old, self.kind), view._converted(each.new, self.kind))
            for each in self._window
        ]
        view.adopt(found, window, self._window_start)
        self._views.append(view)
        return view

    def drop_view(self, view: WatchCache) -> None:
        """Stop a view from following."""
        self._views.remove(view)

    def converted(self, found: Iterable[Seen | None], kind: Kind) -> list[CachedObject | None]:
        """Return objects of another kind of the same storage, as they are in this one; None for what cannot be read."""
        return [self._converted(obj, kind) for obj in found]

    def adopt(self, found: Sequence[CachedObject], window: Sequence[Change], window_start: int) -> None:
        """Begin with the objects and the latest changes of another cache; they are in this one's version."""
        self._begin_with(found)
        self._window_start = window_start
        self._window.extend(window)
        self._window_bytes = sum(each.size_bytes for each in self._window)

    def _begin_with(self, found: Iterable[CachedObject]) -> None:
        """Have these objects and no others; what was made of those before is forgotten."""
        self._objects = {obj.place: obj for obj in found}
        self._places = sorted(self._objects)
        self._lists.clear()
        self._indexes.clear()
        for follower in self._followers:
            follower.replaced(self._objects.values())

    def window(self) -> list[Change]:
        """Return the latest changes, the oldest one first."""
        return list(self._window)

    @property
    def window_start(self) -> int:
        """The revision after which a watch may start."""
        return self._window_start

    def get(self, place: str) -> CachedObject | None:
        """Return one object."""
        return self._objects.get(place)

    def every(self) -> list[CachedObject]:
        """Return all objects in order of namespace and name."""
        return [self._objects[place] for place in self._places]

    @property
    def is_empty(self) -> bool:
        """Whether there is no object at all."""
        return not self._places

    def has_any(self, namespace: str) -> bool:
        """Whether there are objects in a namespace; some tenths of a µs, asked with each write."""
        if not self._places:
            return False
        first = bisect_left(self._places, namespace + "/")
        return first < len(self._places) and self._places[first].startswith(namespace + "/")

    def list(self, selected: Selected) -> SharedItems:
        """Return the selected objects in order of namespace and name; the same ones until something changes."""
        items = self._lists.get(selected)
        if items is None:
            if len(self._lists) >= LISTS:
                self._lists.clear()
            items = self._lists[selected] = SharedItems(self._selected(selected))
        return items

    def page(self, selected: Selected, limit: int) -> tuple[SharedItems, int]:
        """Return the first selected objects, all with a limit of 0, and how many follow them."""
        first, end = self._range(selected.namespace)
        if selected.by_selectors or not limit or end - first <= limit:
            found = self.list(selected)
            if not limit or len(found) <= limit:
                return found, 0
            return SharedItems(found[:limit]), len(found) - limit
        shown = [self._objects[place] for place in self._places[first : first + limit]]
        return SharedItems(shown), end - first - limit

    def _selected(self, selected: Selected) -> Sequence[CachedObject]:
        found = [self._objects[place] for place in self._candidates(selected)]
        return [obj for obj in found if selected.matches(obj)] if selected.by_selectors else found

    def _candidates(self, selected: Selected) -> Sequence[str]:
        """Return places, in order, among which all selected objects are: as few as are known."""
        if selected.name and bool(selected.namespace) is self.kind.namespaced:
            place = self.kind.place(selected.namespace, selected.name)
            return (place,) if place in self._objects else ()
        first, end = self._range(selected.namespace)
        found = None
        if selected.by_selectors:
            found = self._indexes.find(selected, self._objects.values(), fewer_than=end - first)
        return self._places[first:end] if found is None else found

    def replace(self, items: Sequence[Stored], revision: int) -> None:
        """Start from a whole list. Who watches has to list again, since nobody knows what happened between."""
        prefix = len(self.kind.storage_prefix) + 1
        made = (self._read(item.key[prefix:], item.value, item.revision) for item in items)
        self._begin_with(obj for obj in made if obj)
        self._window.clear()
        self._window_bytes = 0
        self._window_start = revision
        self.advance(revision)
        self.end_watches(Expired(f"too old resource version: the history before {revision} is gone"))
        for view in self._views:
            view.replace(items, revision)
        self._tell_subscribers()

    def apply(self, event: StorageEvent) -> None:
        """Apply a write of the store, and offer it to the watchers."""
        place = event.key[len(self.kind.storage_prefix) + 1 :]
        old = self._objects.get(place)
        new = self._read(place, event.value, event.revision) if event.value is not None else None
        self.advance(event.revision)
        for view in self._views:
            view.apply(event)
        if old is None and new is None:
            return
        self._lists.clear()
        self._keep(place, old, new)
        self._indexes.change(old, new)
        for follower in self._followers:
            follower.changed(old, new)
        self._remember(Change(event.revision, old, new))
        self._tell_subscribers()

    def advance(self, revision: int) -> None:
        """Learn that nothing else was written up to a revision."""
        self._progress.revision = max(self._progress.revision, revision)

    def watch(self, selected: Selected, after: int, *, bookmarks: bool) -> Watcher:
        """Return a watcher of what happens after a revision, which is not newer than the cache's.

        Raises:
            Expired: the window does not reach back so far.
        """
        if after < self._window_start:
            raise Expired(f"too old resource version: {after} ({self._window_start})")
        changes = self._after(after)
        missed = [event for change in changes if (event := change.event(self.kind, selected))]
        for change in changes[:-RECENT]:
            change.forget_events()
        return self._join(selected, missed, bookmarks=bookmarks)

    def watch_state(self, selected: Selected, *, bookmarks: bool, mark_end: bool) -> Watcher:
        """Return a watcher that begins with every object as ADDED, then tells what happens; with `mark_end` a bookmark stands between."""
        events = [
            SharedEvent(EventType.ADDED, obj.json, obj.uid, obj.revision) for obj in self.list(selected)
        ]
        if mark_end:
            events.append(self.bookmark(INITIAL_EVENTS_END))
        return self._join(selected, events, bookmarks=bookmarks)

    def bookmark(self, annotation: str = "") -> SharedEvent:
        """Return the event that says how far the cache is."""
        json = objects.bookmark(self.kind, self.revision, annotation)
        return SharedEvent(EventType.BOOKMARK, json, "", self.revision)

    def send_bookmarks(self) -> None:
        """Send a bookmark to every watcher that wants them."""
        if not self._audiences:
            return
        shared = SharedBatch((self.bookmark(),))
        for audience in list(self._audiences.values()):
            for watcher in audience:
                if watcher.bookmarks:
                    audience.tell(watcher)  # a bookmark comes after everything that it stands for
                    watcher.offer(shared)

    def end_watches(self, error: ApiError | None = None) -> None:
        """End every watch: with an error, or as a timeout does."""
        for audience in list(self._audiences.values()):
            for watcher in audience:
                watcher.end(error)

    def follow(self, follower: Follower) -> None:
        """Pass every change to a follower from now on, before any watcher is told."""
        self._followers.append(follower)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back after every change; the callback does not wait."""
        self._subscribers.append(changed)

    def _read(self, place: str, value: bytes, revision: int) -> CachedObject | None:
        try:
            return objects.cached(self.kind, place, value, revision)
        except (
            objects.Unreadable,
            ConversionNeeded,
        ) as error:  # another program wrote it: for readers it is not there
            self._log.error("stored_object_unreadable", resource=self.kind.plural, place=place, error=error)
            return None

    def _converted(self, obj: Seen | None, kind: Kind) -> CachedObject | None:
        if obj is None:
            return None
        return self._read(obj.place, objects.without_revision(kind, obj.json), obj.revision)

    def _range(self, namespace: str) -> tuple[int, int]:
        """Return where the places of a namespace begin and end, those of all of them for ""."""
        if not namespace:
            return 0, len(self._places)
        first = bisect_left(self._places, namespace + "/")
        return first, bisect_left(self._places, namespace + "0", first)  # "0" is what follows "/"

    def _keep(self, place: str, old: CachedObject | None, new: CachedObject | None) -> None:
        if new is None:
            del self._objects[place]
            del self._places[bisect_left(self._places, place)]
            return
        self._objects[place] = new
        if old is None:
            insort(self._places, place)

    def _remember(self, change: Change) -> None:
        window = self._window
        self._window_bytes += change.size_bytes
        while window and (len(window) == window.maxlen or self._window_bytes > WINDOW_BYTES):
            oldest = window.popleft()
            self._window_start = oldest.revision
            self._window_bytes -= oldest.size_bytes
        window.append(change)
        if len(window) > RECENT:
            window[-RECENT - 1].forget_events()
        for selected in self._concerned(change):
            if event := change.event(self.kind, selected):
                self._audiences[selected].add(event)

    def _concerned(self, change: Change) -> Sequence[Selected]:
        """Find the selections that a change may be about, by the fields that they pin to a value."""
        found = list(self._untriggered)
        for name, by_value in self._triggers.items():
            values = dict.fromkeys(obj.fields.get(name, "") for obj in (change.old, change.new) if obj)
            found += [selected for value in values for selected in by_value.get(value, ())]
        return found

    def pack(self) -> Iterator[None]:
        """Make the history small where nothing has happened since the last call; others have their turn at every step."""
        newest = self._window[-1].revision if self._window else 0
        is_quiet = newest == self._looked_at
        self._looked_at = newest
        if not is_quiet or newest == self._packed_at:
            return
        self._packed_at = newest
        made: dict[int, PackedObject] = {}  # by the id of what the changes still have
        changes, size = list(self._window), 0
        found = {id(obj): obj for change in changes for obj in (change.old, change.new) if obj}
        for key, obj in found.items():
            if (
                isinstance(obj, CachedObject)
                and len(obj.json) >= PACKED_FROM
                and self.get(obj.place) is not obj
            ):
                made[key] = objects.packed(obj)
                size += len(obj.json)
                if size >= _PIECE:
                    size = 0
                    yield
        for change in changes:
            change.forget_events()
            change.old, change.new = (
                made.get(id(change.old), change.old),
                made.get(id(change.new), change.new),
            )

    def _after(self, revision: int) -> Sequence[Change]:
        changes = list(self._window)
        return changes[bisect_right(changes, revision, key=lambda change: change.revision) :]

    def _join(self, selected: Selected, first: Sequence[SharedEvent], *, bookmarks: bool) -> Watcher:
        watcher = Watcher(first, bookmarks=bookmarks, leave=lambda gone: self._leave(selected, gone))
        audience = self._audiences.get(selected)
        if audience is None:
            audience = self._audiences[selected] = Audience(self._rounds)
            self._sort_in(selected)
        audience.join(watcher)
        return watcher

    def _sort_in(self, selected: Selected) -> None:
        if trigger := selected.trigger:
            self._triggers.setdefault(trigger[0], {}).setdefault(trigger[1], {})[selected] = None
        else:
            self._untriggered[selected] = None

    def _leave(self, selected: Selected, watcher: Watcher) -> None:
        audience = self._audiences.get(selected)
        if audience is None:
            return
        audience.leave(watcher)
        if audience:
            return
        self._audiences.pop(selected, None)
        self._untriggered.pop(selected, None)
        if trigger := selected.trigger:
            by_value = self._triggers.get(trigger[0], {})
            by_value.get(trigger[1], {}).pop(selected, None)
            if not by_value.get(trigger[1]):
                by_value.pop(trigger[1], None)
            if not by_value:
                self._triggers.pop(trigger[0], None)

    def _tell_subscribers(self) -> None:
        for changed in self._subscribers:
            changed()
