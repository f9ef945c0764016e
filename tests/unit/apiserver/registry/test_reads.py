"""get, list and watch: revisions, pages, selectors, events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from apiserver.core.kinds import KINDS
from apiserver.request import INITIAL_EVENTS_END, SharedEvent
from machinery.model.errors import BadRequest, DeadlineExceeded, Expired, Invalid, NotFound
from machinery.model.requests import EventType
from tests.support.apiserver import RegistryBench, config_map, names, pod, take


async def _fill(bench: RegistryBench, count: int = 5) -> None:
    for number in range(count):
        obj = config_map(f"m{number}")
        obj["metadata"]["labels"] = {"parity": "even" if number % 2 == 0 else "odd"}
        await bench.create("configmaps", obj)


def _told(events: Sequence[SharedEvent]) -> list[tuple[str, str]]:
    return [
        (event.type.value, msgspec.json.decode(event.json)["metadata"].get("name", "")) for event in events
    ]


async def test_a_list_shows_every_write_that_was_acknowledged(bench: RegistryBench) -> None:
    """A list right after a write has it: it waits for the cache."""
    for number in range(30):
        await bench.create("configmaps", config_map(f"m{number}"))
        assert f"m{number}" in names(await bench.list("configmaps"))


async def test_a_list_is_sorted_and_has_the_revision_to_watch_from(bench: RegistryBench) -> None:
    """Its revision is the store's, so a watch that starts there misses nothing."""
    await _fill(bench)
    reply = await bench.list("configmaps")
    assert names(reply) == [f"m{number}" for number in range(5)]
    assert reply.revision == await bench.storage.revision()


async def test_selectors_choose(bench: RegistryBench) -> None:
    """Labels and fields select; a field that the kind does not have is a 400."""
    await _fill(bench)
    assert names(await bench.list("configmaps", label_selector="parity=odd")) == ["m1", "m3"]
    assert names(await bench.list("configmaps", field_selector="metadata.name=m2")) == ["m2"]
    with pytest.raises(BadRequest, match="is not a known field selector"):
        await bench.list("configmaps", field_selector="data.key=1")
    with pytest.raises(BadRequest):
        await bench.list("configmaps", label_selector="a in (")


async def test_pages_stay_at_one_revision(bench: RegistryBench) -> None:
    """What is written between two pages is not in them."""
    await _fill(bench)
    first = await bench.list("configmaps", limit=2)
    assert (names(first), first.remaining) == (["m0", "m1"], 3)
    await bench.delete("configmaps", "m3")
    await bench.create("configmaps", config_map("m9"))
    second = await bench.list("configmaps", limit=2, continue_=first.continue_)
    assert (names(second), second.remaining, second.revision) == (["m2", "m3"], 1, first.revision)
    third = await bench.list("configmaps", limit=2, continue_=second.continue_)
    assert (names(third), third.continue_) == (["m4"], "")


async def test_pages_hold_what_is_selected(bench: RegistryBench) -> None:
    """A page has as many selected objects as were asked for; how many remain is not known."""
    await _fill(bench, 9)
    found, token = [], ""
    while True:
        page = await bench.list("configmaps", limit=2, continue_=token, label_selector="parity=even")
        found += names(page)
        token = page.continue_
        assert page.remaining is None
        if not token:
            break
    assert found == ["m0", "m2", "m4", "m6", "m8"]


async def test_a_page_of_a_compacted_revision_is_expired(bench: RegistryBench) -> None:
    """The token says which revision it is about, and that is gone; the error has one for what is there now."""
    await _fill(bench)
    first = await bench.list("configmaps", limit=2)
    await bench.create("configmaps", config_map("m9"))
    await bench.storage.compact(await bench.storage.revision())
    with pytest.raises(Expired, match="The provided continue parameter is too old") as expired:
        await bench.list("configmaps", limit=2, continue_=first.continue_)
    token = expired.value.to_status()["metadata"]["continue"]
    await bench.delete("configmaps", "m2")
    second = await bench.list("configmaps", limit=2, continue_=token)
    assert (names(second), second.revision) == (["m3", "m4"], await bench.storage.revision())
    last = await bench.list("configmaps", limit=2, continue_=second.continue_)
    assert (names(last), last.revision) == (["m9"], second.revision)


async def test_a_token_does_not_reach_out_of_its_namespace(bench: RegistryBench) -> None:
    """A token of all namespaces is refused in one of them."""
    await bench.create("namespaces", {"metadata": {"name": "other"}})
    await bench.create("configmaps", config_map("a"))
    await bench.create("configmaps", config_map("b"))
    token = (await bench.list("configmaps", limit=1)).continue_
    with pytest.raises(BadRequest, match="continue key is not valid"):
        await bench.list("configmaps", namespace="other", limit=1, continue_=token)
    with pytest.raises(BadRequest, match="continue key is not valid"):
        await bench.list("configmaps", limit=1, continue_="%%%")


async def test_a_list_can_be_of_an_exact_revision(bench: RegistryBench) -> None:
    """The store remembers what the cache has forgotten."""
    await _fill(bench, 3)
    revision = str(await bench.storage.revision())
    await bench.delete("configmaps", "m1")
    exact = {"resource_version": revision, "resource_version_match": "Exact"}
    assert names(await bench.list("configmaps", **exact)) == ["m0", "m1", "m2"]
    assert names(await bench.list("configmaps", resource_version=revision)) == ["m0", "m2"]
    assert names(await bench.list("configmaps", resource_version=revision, limit=5)) == ["m0", "m1", "m2"]
    newer = {"resource_version": revision, "resource_version_match": "NotOlderThan"}
    assert names(await bench.list("configmaps", **newer, limit=5)) == ["m0", "m2"]
    await bench.storage.compact(await bench.storage.revision())
    with pytest.raises(Expired, match="The resourceVersion for the provided list is too old"):
        await bench.list("configmaps", **exact)


async def test_a_revision_that_is_still_to_come_is_too_large(
    bench: RegistryBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients know it by its cause, and list anew."""

    async def never(_revision: int) -> bool:
        return False

    monkeypatch.setattr(bench.feed, "reached", never)
    with pytest.raises(DeadlineExceeded, match="Too large resource version: 9999") as refused:
        await bench.list("configmaps", resource_version="9999")
    assert refused.value.causes[0].reason == "ResourceVersionTooLarge"
    with pytest.raises(DeadlineExceeded):
        await bench.get("configmaps", "a", resource_version="9999")


@pytest.mark.parametrize(
    "options",
    [
        {"resource_version_match": "Exact"},
        {"resource_version_match": "Exact", "resource_version": "0"},
        {"resource_version_match": "Newest", "resource_version": "5"},
        {"send_initial_events": True},
    ],
)
async def test_options_that_contradict_each_other_are_refused(
    bench: RegistryBench, options: dict[str, Any]
) -> None:
    """The message names the option."""
    with pytest.raises(Invalid, match=r"ListOptions.meta.k8s.io"):
        await bench.list("configmaps", **options)


async def test_a_get_may_be_of_the_cache(bench: RegistryBench) -> None:
    """Revision 0 is whatever the cache has; an old one is not older than that."""
    created = await bench.create("configmaps", config_map("a"))
    assert (
        await bench.get("configmaps", "a", resource_version=created["metadata"]["resourceVersion"]) == created
    )
    assert await bench.get("configmaps", "a", resource_version="0") == created
    with pytest.raises(NotFound):
        await bench.get("configmaps", "b", resource_version="0")
    with pytest.raises(BadRequest, match="resourceVersion"):
        await bench.get("configmaps", "a", resource_version="yesterday")


async def test_a_watch_from_a_list_tells_what_follows(bench: RegistryBench) -> None:
    """Additions, changes and deletions come in their order, with the state and the revision of each write."""
    await _fill(bench, 1)
    start = (await bench.list("configmaps")).revision
    watch = await bench.watch("configmaps", resource_version=str(start))
    await bench.create("configmaps", config_map("new"))
    await bench.patch("configmaps", "new", {"data": {"a": "1"}})
    await bench.delete("configmaps", "new")
    events = await take(watch, 3)
    assert _told(events) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions))
    assert [msgspec.json.decode(e.json)["metadata"]["resourceVersion"] for e in events] == list(
        map(str, revisions)
    )


async def test_a_watch_can_begin_with_the_state(bench: RegistryBench) -> None:
    """Initial events end with a bookmark that says so; without the wish for them, they just come."""
    await _fill(bench, 2)
    options: dict[str, Any] = {
        "resource_version_match": "NotOlderThan",
        "send_initial_events": True,
        "allow_bookmarks": True,
    }
    events = await take(await bench.watch("configmaps", **options), 3)
    assert _told(events) == [("ADDED", "m0"), ("ADDED", "m1"), ("BOOKMARK", "")]
    assert msgspec.json.decode(events[2].json)["metadata"]["annotations"] == {INITIAL_EVENTS_END: "true"}
    assert _told(await take(await bench.watch("configmaps"), 2)) == [("ADDED", "m0"), ("ADDED", "m1")]


async def test_a_watch_without_initial_events_begins_now(bench: RegistryBench) -> None:
    """Nothing that was there before is told."""
    await _fill(bench, 2)
    options: dict[str, Any] = {"resource_version_match": "NotOlderThan", "send_initial_events": False}
    watch = await bench.watch("configmaps", **options)
    await bench.create("configmaps", config_map("new"))
    assert _told(await take(watch, 1)) == [("ADDED", "new")]


async def test_a_watch_shows_objects_enter_and_leave_its_selection(bench: RegistryBench) -> None:
    """An object that no longer matches is deleted for this watcher, and only for it."""
    created = await bench.create("pods", pod("p", labels={"app": "a"}))
    start = created["metadata"]["resourceVersion"]
    watch = await bench.watch("pods", label_selector="app=a", resource_version=start)
    await bench.patch("pods", "p", {"metadata": {"labels": {"app": "b"}}})
    await bench.patch("pods", "p", {"metadata": {"labels": {"app": "a"}}})
    assert _told(await take(watch, 2)) == [("DELETED", "p"), ("ADDED", "p")]


async def test_a_watch_from_too_long_ago_is_expired(bench: RegistryBench) -> None:
    """Who was away for too long lists again."""
    cache = bench.feed.cache(KINDS["", "configmaps"])
    cache._window = deque(maxlen=20)
    await bench.create("configmaps", config_map("hot"))
    for number in range(30):
        await bench.patch("configmaps", "hot", {"data": {"n": str(number)}})
    await bench.list("configmaps")
    with pytest.raises(Expired, match="too old resource version: 2 "):
        await bench.watch("configmaps", resource_version="2")


async def test_a_watch_ends_at_its_timeout_with_a_bookmark(bench: RegistryBench) -> None:
    """The client goes on from the bookmark."""
    start = str(await bench.storage.revision())
    watch = await bench.watch("configmaps", resource_version=start, timeout_s=1, allow_bookmarks=True)
    events: list[SharedEvent] = []
    async with asyncio.timeout(15):
        async for batch in watch:
            events += batch
    assert [event.type for event in events] == [EventType.BOOKMARK]
    assert events[0].revision == int(start)


@pytest.mark.parametrize("revision", ["abc", "-1", "1.5", "18446744073709551616"])
async def test_a_get_by_what_is_no_revision_is_a_bad_request(bench: RegistryBench, revision: str) -> None:
    """Whether there is such an object or not: a 400, where kube-apiserver's cache answers 500 (kubernetes #101350)."""
    text = "invalid resource version: resourceVersion: Invalid value: "
    for name in ("default", "none"):
        with pytest.raises(
            BadRequest, match=f'^{text}"{revision}": strconv.ParseUint: parsing "{revision}": '
        ):
            await bench.get("serviceaccounts", name, resource_version=revision)
