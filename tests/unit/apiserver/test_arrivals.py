"""A kind that is added while the feed runs: its cache shows every write once, whenever it was made."""

from __future__ import annotations

from apiserver.storage.interface import StorageEvent, Stored
from apiserver.watch_cache import WatchCache
from apiserver.watch_cache_arrivals import Arrival
from apiserver.watch_cache_selection import Selected
from tests.support.toy_kinds import widgets

PREFIX = "/registry/widgets/default/"


def value(name: str) -> bytes:
    head = b'{"apiVersion":"toys.example.com/v1","kind":"Widget","metadata":{'
    return head + b'"name":"%b","namespace":"default"}}' % name.encode()


def event(name: str, revision: int) -> StorageEvent:
    return StorageEvent(PREFIX + name, value(name), revision)


def test_what_was_written_while_the_objects_were_read_is_shown_once() -> None:
    """The list has it up to its revision, the watch from there on."""
    arrival = Arrival(WatchCache(widgets()))
    arrival.begin()
    for each in (event("a", 5), event("b", 6), event("a", 7)):
        arrival.apply(each)
    arrival.fill([Stored(PREFIX + "a", value("a"), 5), Stored(PREFIX + "b", value("b"), 6)], 6)
    shown = {obj.place: obj.revision for obj in arrival.cache.every()}
    assert shown == {"default/a": 7, "default/b": 6}
    assert arrival.done.is_set()


def test_objects_are_read_again_where_events_were_lost_meanwhile() -> None:
    """As when the store's watch had to begin anew."""
    arrival = Arrival(WatchCache(widgets()))
    arrival.begin()
    arrival.apply(event("a", 5))
    arrival.lose_track()
    assert arrival.has_gap
    arrival.begin()
    assert not arrival.has_gap
    arrival.fill([], 9)
    assert arrival.cache.every() == []


async def test_what_was_listed_of_a_cache_before_it_took_over_another_is_forgotten() -> None:
    """Somebody may have looked at it while the objects were handed on."""
    before, everything = WatchCache(widgets()), Selected()
    before.replace([Stored(PREFIX + "a", value("a"), 5)], 5)
    arrival = Arrival(WatchCache(widgets()), 5, before)
    assert list(arrival.cache.list(everything)) == []
    arrival.adopt(await arrival.read_anew(before), before)
    assert [obj.place for obj in arrival.cache.list(everything)] == ["default/a"]
