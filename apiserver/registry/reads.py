"""get, list and watch.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import random
from collections.abc import MutableSequence, Sequence
from typing import Final

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers, listing
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.objects import CachedObject
from apiserver.registry.converted import ConvertedWatch, converted_list
from apiserver.request import (
    Item,
    ListOptions,
    ListReply,
    ObjectReply,
    Request,
    SharedItems,
    WatchReply,
)
from apiserver.storage.interface import Storage, Stored
from apiserver.stored_versions import stored_in
from apiserver.watch_cache import WatchCache
from apiserver.watch_cache_feed import Behind, Feed
from apiserver.watch_cache_selection import Selected, select
from machinery.model.errors import BadRequest, Expired, Unavailable
from machinery.model.selectors import FEW_TERMS

WATCH_TIMEOUT_S: Final = 1800  # wall seconds that a watch lasts at least; at most twice as long
LONGEST_WATCH_S: Final = 366 * 86_400  # wall seconds: further off no timer can be set
PATIENCE_S: Final = 5.0  # wall seconds that a request waits for a cache that is still being filled
_MATCH_BYTES: Final = 4  # of JSON, that take as long to read as an object to be compared with a selector
_TEXT_BYTES: Final = 8  # of JSON, that take as long to read as a character of a selector
_CHUNK: Final = 500  # keys that are read at once where selectors pick from them


class Reads:
    """Reads objects and collections."""

    def __init__(self, storage: Storage, feed: Feed, rng: random.Random) -> None:
        self._storage = storage
        self._feed = feed
        self._random = rng  # spreads the ends of watches

    async def get(self, kind: Kind, request: Request) -> ObjectReply:
        """Read one object: as it is now, or not older than a revision.

        Raises:
            NotFound: there is none.
            BadRequest: the revision is no number (a 500 in Kubernetes, whose cache's error has no status).
        """
        revision = listing.parse_revision(request.resource_version)
        place = kind.place(request.namespace, request.name)
        if revision is None and self._feed.problem:
            return await self._get_live(kind, request, place)
        try:
            cache = await self._cache(kind, revision)
        except Behind:
            return await self._get_live(kind, request, place)
        found = cache.get(place)
        if found is None:
            raise answers.not_found(kind, request.name)
        return _reply(found)

    async def current(self, kind: Kind, request: Request) -> Json:
        """Return one object, decoded, as it is now; the caller owns it.

        Raises:
            NotFound: there is none.
        """
        return objects.decode((await self.get(kind, request)).json)

    async def list(self, kind: Kind, request: Request) -> ListReply:
        """Read a collection, or a page of it.

        Raises:
            BadRequest: a selector or the continue token is malformed.
            Expired: the revision is gone.
            DeadlineExceeded: the revision is still to come.
        """
        if kind.stored is not kind and kind.rules.convert_all is not None:
            return await converted_list(kind, await self.list(kind.stored, request))
        options = request.selection
        listing.check_list(
            options.resource_version_match,
            options.resource_version,
            options.continue_,
            initial_events=options.send_initial_events,
        )
        selected = await _selection(kind, request)
        if options.continue_:
            page = listing.decode_continue(options.continue_, selected.namespace)
            return await self._page(kind, selected, page, options.limit)
        revision = listing.parse_revision(options.resource_version)
        if revision and _is_exact(options):
            return await self._page(kind, selected, listing.Continue(revision, ""), options.limit)
        cache = await self._cache(kind, revision)
        current = cache.revision
        limit = 0 if revision == 0 else options.limit
        if selected.terms <= FEW_TERMS:
            found, following = cache.page(selected, limit)
        else:
            found, following = await _matching(cache, selected, limit)
        return _first_page(kind, found, following, current, selected)

    async def watch(self, kind: Kind, request: Request) -> WatchReply:
        """Follow a collection from a revision, or from its state.

        Raises:
            Expired: the revision is gone.
            DeadlineExceeded: the revision is still to come.
        """
        if kind.stored is not kind and kind.rules.convert_all is not None:
            return ConvertedWatch(kind, await self.watch(kind.stored, request))
        options = request.selection
        wants_state = options.send_initial_events
        listing.check_watch(options.resource_version_match, options.continue_, initial_events=wants_state)
        selected, bookmarks = await _selection(kind, request), options.allow_bookmarks
        revision = listing.parse_watch_revision(options.resource_version, kind.group_resource)
        cache = await self._cache(kind, revision)
        if wants_state or (wants_state is None and not revision):
            watcher = cache.watch_state(selected, bookmarks=bookmarks, mark_end=bookmarks)
        else:
            watcher = cache.watch(selected, revision or cache.revision, bookmarks=bookmarks)
        timeout_s = options.timeout_s or WATCH_TIMEOUT_S * (1 + self._random.random())
        watcher.end_after(min(max(timeout_s, 0), LONGEST_WATCH_S), cache.bookmark)
        return watcher

    async def _cache(self, kind: Kind, revision: int | None) -> WatchCache:
        """Return the cache of a kind: up to date (None), as it is (0), or not older than a revision."""
        await self.ready(kind)
        if revision is None:
            await self._feed.fresh()
        elif revision and not await self._feed.reached(revision):
            raise answers.revision_too_large(revision, self._feed.revision)
        await self.ready(kind)  # its definition may have changed meanwhile
        return self._feed.cache(kind)

    async def ready(self, kind: Kind) -> None:
        """Wait until the cache of a kind is filled.

        Raises:
            Unavailable: that takes longer than `PATIENCE_S`.
        """
        if not await self._feed.filled(kind, PATIENCE_S):
            problem = self._feed.problem or "reading it from etcd"
            raise Unavailable(f"the apiserver has no state yet: {problem}", retry_after_s=1)

    async def _get_live(self, kind: Kind, request: Request, place: str) -> ObjectReply:
        stored = await self._storage.get(kind.key(request.namespace, request.name))
        if stored is None:
            raise answers.not_found(kind, request.name)
        known = self._feed.cache(kind).get(place)
        if known and known.revision == stored.revision:
            return _reply(known)
        shown = await aside(len(stored.value), objects.cached, kind, place, stored.value, stored.revision)
        return _reply(shown)

    async def _page(self, kind: Kind, selected: Selected, page: listing.Continue, limit: int) -> ListReply:
        """Read from the store, at the page's revision: its history is there, not in the cache."""
        if page.revision < 0:
            page = listing.Continue(await self._storage.revision(), page.start)
        try:
            found, remaining = await self._read_page(kind, selected, page, limit)
        except Expired as error:
            raise listing.continue_expired(page) if page.start else listing.revision_expired() from error
        except BadRequest as error:
            raise answers.revision_too_large(page.revision, self._feed.revision) from error
        if remaining == 0:
            return _list(kind, found, page.revision)
        more = listing.after(found[-1].place, page.revision).encode()
        return _list(kind, found, page.revision, more, None if selected.by_selectors else remaining)

    async def _read_page(
        self, kind: Kind, selected: Selected, page: listing.Continue, limit: int
    ) -> tuple[Sequence[CachedObject], int]:
        """Return the selected objects of a page, and how many may follow."""
        head = f"{kind.storage_prefix}/"
        prefix = f"{head}{selected.namespace}/" if selected.namespace else head
        start = head + page.start if page.start else ""
        size = _CHUNK if limit and selected.by_selectors else limit
        found: MutableSequence[CachedObject] = []
        while True:
            chunk = await self._storage.list(prefix, revision=page.revision, limit=size, start=start)
            items = await stored_in(kind, chunk.items)
            weight = sum(len(item.value) for item in items)
            room = limit - len(found) if limit else 0
            more, seen = await aside(weight, _picked, kind, selected, head, items, room)
            found += more
            if limit and len(found) == limit:
                return found, len(chunk.items) - seen + chunk.remaining
            if not chunk.more:
                return found, 0
            start = chunk.items[-1].key + "\0"


def _picked(
    kind: Kind, selected: Selected, head: str, items: Sequence[Stored], room: int
) -> tuple[list[CachedObject], int]:
    """Return the first of these objects that are selected, at most `room` (0: all), and how many were looked at."""
    found: list[CachedObject] = []
    for seen, item in enumerate(items, 1):
        obj = _cached(kind, item, head)
        if obj and (not selected.by_selectors or selected.matches(obj)):
            found.append(obj)
            if len(found) == room:
                return found, seen
    return found, len(items)


def _is_exact(options: ListOptions) -> bool:
    """Whether a list is of just its revision: where it says so, and where it is paged and does not say.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
    """
    match = options.resource_version_match
    return match == listing.EXACT or (not match and options.limit > 0)


async def _selection(kind: Kind, request: Request) -> Selected:
    asked = request.selection
    weight = _TEXT_BYTES * (len(asked.label_selector) + len(asked.field_selector))
    return await aside(weight, selection, kind, request)


def selection(kind: Kind, request: Request) -> Selected:
    """Read what a request selects.

    Raises:
        BadRequest: a selector is malformed, or names a field that the kind does not have.
    """
    fields = request.selection.field_selector
    if request.name:
        by_name = f"metadata.name={request.name}"
        fields = f"{fields},{by_name}" if fields else by_name
    namespace = request.namespace if kind.namespaced else ""
    return select(kind, namespace, request.selection.label_selector, fields)


def _first_page(
    kind: Kind, found: SharedItems, following: int, revision: int, selected: Selected
) -> ListReply:
    """Answer with the first objects, `following` of which more follow."""
    if not following:
        return _list(kind, found, revision)
    more = listing.after(found[-1].place, revision).encode()
    return _list(kind, found, revision, more, None if selected.by_selectors else following)


async def _matching(cache: WatchCache, selected: Selected, limit: int) -> tuple[SharedItems, int]:
    """Return what `WatchCache.page` does, of a long selector; nothing of it is remembered."""
    every = cache.every()
    found = await aside(_MATCH_BYTES * len(every), _those, every, selected)
    return SharedItems(found[:limit] if limit else found), max(0, len(found) - limit) if limit else 0


def _those(every: Sequence[CachedObject], selected: Selected) -> list[CachedObject]:
    return [obj for obj in every if selected.matches(obj)]


def _list(
    kind: Kind, found: Sequence[Item], revision: int, more: str = "", remaining: int | None = None
) -> ListReply:
    is_cached = isinstance(found, SharedItems)
    items = found if isinstance(found, SharedItems) else SharedItems(found)
    is_custom = kind.rules.read is not None
    return ListReply(kind.api_version, kind.kind, items, revision, more, remaining, is_cached, is_custom)


def _reply(obj: CachedObject) -> ObjectReply:
    return ObjectReply(obj.json, obj.uid, obj.revision)


def _cached(kind: Kind, item: Stored, head: str) -> CachedObject | None:
    try:
        return objects.cached(kind, item.key[len(head) :], item.value, item.revision)
    except objects.Unreadable:  # the cache has logged it
        return None
