"""An apiserver in a dictionary, for tests of what speaks to one. Its contract suite also runs on real doors.

It keeps objects as JSON-like dicts with revisions, conflicts, selectors (labels, metadata.* and any other path),
pages, watches with history, finalizers, grace of pods, merge patches and the status subresource; it has no schema, no
defaults, no authorization and no clock. A test may `compact()` the history, `break_watches()` and make calls fail or
hang through `before_call`. What it does not build raises NotImplementedHere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from machinery.client.api import (
    CALL_TIMEOUT_S,
    EVERYTHING,
    DeleteOptions,
    EventType,
    Listing,
    PatchType,
    Selection,
    WatchEvent,
)
from machinery.model.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    DeadlineExceeded,
    Expired,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from machinery.model.resources import PODS, KubeObject, Resource
from machinery.model.selectors import parse_fields, parse_labels

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Json: TypeAlias = dict[str, Any]
Batch: TypeAlias = list[WatchEvent[T]]
_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)  # whatever an update says
_Key: TypeAlias = tuple[str, str, str]  # resource, namespace, name


class _Event(msgspec.Struct, frozen=True):
    revision: int
    key: _Key
    before: Json | None
    after: Json | None


class MemoryServer:
    """The state and its history, shared by any number of `MemoryApi`s."""

    def __init__(self) -> None:
        self.revision = 1
        self.objects: dict[_Key, Json] = {}
        self.log: list[_Event] = []
        self.compacted = 0  # revisions up to here are not in the log any more
        self._changed: set[asyncio.Event] = set()
        self._break_number = 0
        self._bookmarks = 0
        self._uids = 0
        self.open_watches = 0

    def api(self, name: str = "test") -> MemoryApi:
        """Give a client."""
        return MemoryApi(self, name)

    def compact(self) -> None:
        """Forget the history: watches from before now end with Expired."""
        self.compacted = self.revision
        self.log.clear()

    def break_watches(self) -> None:
        """Break every watch, as when the connection breaks."""
        self._break_number += 1
        self.wake()

    def send_bookmarks(self) -> None:
        """Tell every running watch how far it is."""
        self._bookmarks += 1
        self.wake()

    def at(self, revision: int) -> dict[_Key, Json]:
        """Give the objects as they were at a revision."""
        if revision < self.compacted:
            raise Expired(f"too old resource version: {revision} ({self.compacted})")
        objects = dict(self.objects)
        for event in reversed([each for each in self.log if each.revision > revision]):
            if event.before is None:
                del objects[event.key]
            else:
                objects[event.key] = event.before
        return objects

    def write(self, key: _Key, before: Json | None, after: Json | None) -> None:
        """Make one change, at one new revision."""
        self.revision += 1
        if after is None:
            del self.objects[key]
        else:
            after["metadata"]["resourceVersion"] = str(self.revision)
            self.objects[key] = after
        self.log.append(_Event(self.revision, key, before, after))
        self.wake()

    def new_uid(self) -> str:
        """Give a uid."""
        self._uids += 1
        return f"00000000-0000-4000-8000-{self._uids:012x}"

    async def follow(
        self, from_revision: int, *, closed: Callable[[], bool], timeout_s: float = 0
    ) -> AsyncIterator[list[_Event] | int]:
        """Yield the changes after a revision, and the revision itself as a bookmark; an empty list first."""
        deadline = asyncio.get_running_loop().time() + timeout_s if timeout_s else None
        woken = asyncio.Event()
        breaks, bookmarks = self._break_number, self._bookmarks
        self._changed.add(woken)
        self.open_watches += 1
        try:
            yield self._after(from_revision)[:0]
            while True:
                if self._break_number != breaks or closed():
                    raise Unavailable("the watch was broken by the test")
                if events := self._after(from_revision):
                    from_revision = events[-1].revision
                    yield events
                elif self._bookmarks != bookmarks:
                    bookmarks = self._bookmarks
                    yield self.revision
                else:
                    woken.clear()
                    async with asyncio.timeout_at(deadline):
                        await woken.wait()
        except TimeoutError:
            return
        finally:
            self.open_watches -= 1
            self._changed.discard(woken)

    def _after(self, revision: int) -> list[_Event]:
        if revision < self.compacted:
            raise Expired(f"too old resource version: {revision} ({self.compacted})")
        return [event for event in self.log if event.revision > revision]

    def wake(self) -> None:
        """Let every running watch look again."""
        for woken in self._changed:
            woken.set()


class MemoryApi:
    """One client. `before_call(verb, resource, name)` may raise, wait or count; `calls` remembers all of them."""

    def __init__(self, server: MemoryServer, name: str) -> None:
        self.server = server
        self.name = name
        self.calls: list[tuple[str, str, str]] = []
        self.before_call: Callable[[str, str, str], Awaitable[None]] | None = None
        self.before_reply: Callable[[str, str, str], Awaitable[None]] | None = None
        self._closed = False

    async def get(
        self, resource: Resource[T], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Read one object."""
        await self._call("get", resource, name, timeout_s)
        return _typed(self._found(resource, namespace, name), resource)

    async def list(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Listing[T]:
        """Read a collection, or a page of it."""
        await self._call("list", resource, "", timeout_s)
        revision, start = map(int, (continue_ or f"{self.server.revision}/0").split("/"))
        objects = sorted(self.server.at(revision).items())
        found = [obj for key, obj in objects if _selected(key, obj, resource, selection)]
        page = found[start : start + limit] if limit else found[start:]
        more = f"{revision}/{start + limit}" if limit and start + limit < len(found) else ""
        return Listing([_typed(obj, resource) for obj in page], revision, more)

    async def watch(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_s: float = 0,
    ) -> AsyncIterator[Batch[T]]:
        """Yield batches of events after `resource_version`."""
        await self._call("watch", resource, "")
        start = int(resource_version or 0)
        stream = self.server.follow(
            start or self.server.revision, closed=lambda: self._closed, timeout_s=timeout_s
        )
        present = () if start else sorted(self.server.objects.items())
        try:
            await anext(stream)
            yield []
            events = [_Event(int(obj["metadata"]["resourceVersion"]), key, None, obj) for key, obj in present]
            if told := _batch(events, resource, selection):
                yield told
            async for news in stream:
                yield _batch(news, resource, selection)
        finally:
            await stream.aclose()  # type: ignore[attr-defined]  # it is an async generator

    async def create(self, resource: Resource[T], obj: T, *, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Write a new object."""
        body: Json = msgspec.to_builtins(obj)
        body |= {"apiVersion": resource.api_version, "kind": resource.kind}
        meta = body.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self.server.revision:05d}"
        await self._call("create", resource, meta["name"], timeout_s)
        key = _key(resource, meta.get("namespace", ""), meta["name"])
        if key in self.server.objects:
            raise AlreadyExists(
                f'{resource} "{meta["name"]}" already exists', kind=str(resource), name=meta["name"]
            )
        meta |= {"uid": self.server.new_uid(), "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.server.write(key, None, body)
        return await self._reply("create", resource, body, timeout_s)

    async def update(
        self, resource: Resource[T], obj: T, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Replace an object, or with subresource "status" its status."""
        meta = obj.metadata
        await self._call("update", resource, meta.name, timeout_s)
        before = self._found(resource, meta.namespace, meta.name)
        body: Json = msgspec.to_builtins(obj)
        body |= {"apiVersion": resource.api_version, "kind": resource.kind}
        _check_subresource(subresource)
        _check_uid(meta.uid, before, resource, meta.name)
        _check_version(meta.resourceVersion, before, resource, meta.name)
        after = _keep_apart(before, body, resource, subresource)
        kept = {field: before["metadata"][field] for field in _KEPT if field in before["metadata"]}
        after = {**after, "metadata": {**after["metadata"], **kept}}
        return await self._reply("update", resource, self._store(resource, before, after), timeout_s)

    async def patch(
        self,
        resource: Resource[T],
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        subresource: str = "",
        kind: PatchType = PatchType.MERGE,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Merge a patch into an object; JSON patches and apply are not built here."""
        await self._call("patch", resource, name, timeout_s)
        if kind is PatchType.JSON or kind is PatchType.APPLY:
            raise NotImplementedHere(f"{kind} is not built in MemoryApi")
        _check_subresource(subresource)
        before = self._found(resource, namespace, name)
        wanted = msgspec.to_builtins(patch)
        _check_uid(wanted.get("metadata", {}).get("uid", ""), before, resource, name)
        _check_version(wanted.get("metadata", {}).get("resourceVersion", ""), before, resource, name)
        merge = _strategic if kind is PatchType.STRATEGIC_MERGE else _merged
        after = _keep_apart(before, merge(before, wanted), resource, subresource)
        return await self._reply("patch", resource, self._store(resource, before, after), timeout_s)

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete, or mark as being deleted while finalizers hold it."""
        await self._call("delete", resource, name, timeout_s)
        before = self._found(resource, namespace, name)
        meta = before["metadata"]
        options = options or DeleteOptions()
        _check_uid(options.uid, before, resource, name)
        _check_version(options.resource_version, before, resource, name)
        grace_s = _grace_s(before, resource, options.grace_period_s)
        marks: Json = _finalizers(meta, options.propagation_policy)
        marks |= {"deletionTimestamp": meta.get("deletionTimestamp") or "2026-01-01T00:00:00Z"}
        if resource is PODS:
            marks["deletionGracePeriodSeconds"] = grace_s
        self._store(resource, before, {**before, "metadata": {**meta, **marks}})

    async def delete_collection(
        self,
        resource: Resource[T],
        selection: Selection,
        *,
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete every object that is selected."""
        await self._call("deletecollection", resource, "", timeout_s)
        for key, obj in list(self.server.objects.items()):
            if _selected(key, obj, resource, selection):
                await self.delete(resource, key[2], namespace=key[1], options=options)

    async def post(
        self,
        resource: Resource[Any],
        name: str,
        subresource: str,
        body: msgspec.Struct,
        reply: type[R],
        *,
        namespace: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> R:
        """Bind a pod; other subresources are not built here."""
        await self._call(f"post {subresource}", resource, name, timeout_s)
        if subresource != "binding":
            raise NotImplementedHere(f"{subresource} is not built in MemoryApi")
        before = self._found(resource, namespace, name)
        if before["spec"].get("nodeName"):
            raise Conflict(f"pod {name} is already assigned to node {before['spec']['nodeName']!r}")
        target = msgspec.to_builtins(body)["target"]["name"]
        self._store(resource, before, _merged(before, {"spec": {"nodeName": target}}))
        return msgspec.convert({"status": "Success"}, reply)

    async def aclose(self) -> None:
        """Close; running watches break, later calls fail."""
        self._closed = True
        self.server.wake()

    def _store(self, resource: Resource[Any], before: Json, after: Json) -> Json:
        meta = after["metadata"]
        key = _key(resource, meta.get("namespace", ""), meta["name"])
        after = {**after, "metadata": dict(meta)}
        if _is_over(meta):
            self.server.write(key, before, None)
            return after
        same = {
            **after,
            "metadata": {**meta, "resourceVersion": before["metadata"]["resourceVersion"]},
        } == before
        if not same:
            self.server.write(key, before, after)
        return after

    def _found(self, resource: Resource[Any], namespace: str, name: str) -> Json:
        try:
            return self.server.objects[_key(resource, namespace, name)]
        except KeyError:
            raise NotFound(f'{resource} "{name}" not found', kind=str(resource), name=name) from None

    async def _call(
        self, verb: str, resource: Resource[Any], name: str, timeout_s: float | None = None
    ) -> None:
        if self._closed:
            raise Unavailable("the client is closed")
        self.calls.append((verb, resource.plural, name))
        if self.before_call is not None:
            await _in_time(self.before_call(verb, resource.plural, name), timeout_s)

    async def _reply(self, verb: str, resource: Resource[T], body: Json, timeout_s: float) -> T:
        if self.before_reply is not None:
            await _in_time(self.before_reply(verb, resource.plural, body["metadata"]["name"]), timeout_s)
        return _typed(body, resource)


def _key(resource: Resource[Any], namespace: str, name: str) -> _Key:
    return str(resource), namespace if resource.namespaced else "", name


def _typed(obj: Json, resource: Resource[T]) -> T:
    return msgspec.convert(obj, resource.type)


def _check_version(wanted: str, before: Json, resource: Resource[Any], name: str) -> None:
    if wanted not in {"", before["metadata"]["resourceVersion"]}:
        raise Conflict(
            f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply '
            "your changes to the latest version and try again",
            kind=str(resource),
            name=name,
        )


def _check_uid(wanted: str, before: Json, resource: Resource[Any], name: str) -> None:
    if wanted not in {"", None, before["metadata"]["uid"]}:
        raise Conflict(
            f"the uid of {resource} {name} is {before['metadata']['uid']}, not {wanted}",
            kind=str(resource),
            name=name,
        )


def _check_subresource(subresource: str) -> None:
    if subresource not in {"", "status", "finalize"}:
        raise NotImplementedHere(f"{subresource} is not built in MemoryApi")


def _keep_apart(before: Json, after: Json, resource: Resource[Any], subresource: str) -> Json:
    """Take the part of what a write asks for that its subresource is about."""
    if subresource == "finalize":
        return {**before, "spec": after.get("spec", {})}
    if subresource == "status":
        return {**before, "status": after.get("status", {})}
    if "status" not in resource.type.__struct_fields__:
        return after
    kept = {"status": before["status"]} if "status" in before else {}
    return {key: value for key, value in after.items() if key != "status"} | kept


def _grace_s(before: Json, resource: Resource[Any], wanted: int | None) -> int:
    """Tell how long the object may stay: pods that a kubelet runs, as long as they say or the caller does."""
    if resource is not PODS or not before["spec"].get("nodeName"):
        return 0
    if before.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    own = before["metadata"].get("deletionGracePeriodSeconds")
    asked = wanted if wanted is not None else before["spec"].get("terminationGracePeriodSeconds", 30)
    return asked if own is None else min(own, asked)


def _finalizers(meta: Json, policy: str) -> Json:
    """Let the garbage collector see what is to become of the dependents."""
    wanted = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"], "Background": []}
    if policy not in wanted:
        return {}
    others = [each for each in meta.get("finalizers") or () if [each] not in wanted.values()]
    return {"finalizers": [*others, *wanted[policy]]}


def _is_over(meta: Json) -> bool:
    marked = bool(meta.get("deletionTimestamp")) and not meta.get("deletionGracePeriodSeconds")
    return marked and not meta.get("finalizers")


async def _in_time(work: Awaitable[None], timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s) as limit:
            await work
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded("no answer in time") from None
        raise


def _merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    base = target if isinstance(target, Mapping) else {}
    result = {key: value for key, value in base.items() if key not in patch}
    return result | {key: _merged(base.get(key), value) for key, value in patch.items() if value is not None}


def _strategic(target: Any, patch: Any, field: str = "") -> Any:
    """Apply a strategic merge patch, as far as it is known here: conditions merge by type, other lists are replaced."""
    if field == "conditions" and isinstance(patch, list):
        known = {each["type"]: each for each in target or []}
        return list(
            (known | {each["type"]: _merged(known.get(each["type"]), each) for each in patch}).values()
        )
    if not isinstance(patch, Mapping):
        return patch
    base = target if isinstance(target, Mapping) else {}
    result = {key: value for key, value in base.items() if key not in patch}
    changed = {
        key: _strategic(base.get(key), value, key) for key, value in patch.items() if value is not None
    }
    return result | changed


def _selected(key: _Key, obj: Json | None, resource: Resource[Any], selection: Selection) -> bool:
    if obj is None or key[0] != str(resource) or selection.namespace not in {"", key[1]}:
        return False
    labels = obj["metadata"].get("labels") or {}
    if not parse_labels(selection.label_selector).matches(labels):
        return False
    fields = parse_fields(selection.field_selector)
    return fields.matches({path: _at(obj, path) for path in fields.keys})


def _at(obj: Any, path: str) -> str:
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return "" if obj is None else str(obj)


def _batch(news: list[_Event] | int, resource: Resource[T], selection: Selection) -> Batch[T]:
    if isinstance(news, int):
        return [WatchEvent(EventType.BOOKMARK, news, None)]
    told = [_watch_event(event, resource, selection) for event in news]
    return [event for event in told if event is not None]


def _watch_event(event: _Event, resource: Resource[T], selection: Selection) -> WatchEvent[T] | None:
    """Give the event as one selection sees it: entering and leaving the selection are ADDED and DELETED."""
    was = _selected(event.key, event.before, resource, selection)
    now = _selected(event.key, event.after, resource, selection)
    if now and event.after is not None:
        return WatchEvent(
            EventType.MODIFIED if was else EventType.ADDED, event.revision, _typed(event.after, resource)
        )
    if was and event.before is not None:
        meta = {**event.before["metadata"], "resourceVersion": str(event.revision)}
        return WatchEvent(
            EventType.DELETED, event.revision, _typed({**event.before, "metadata": meta}, resource)
        )
    return None


async def always_failing(error: ApiError) -> None:
    """Fail: for `before_call`."""
    raise error
