"""Whatever was written and asked before, an indexed list is the list that a walk over all objects finds."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.kinds import KINDS
from apiserver.storage.interface import StorageEvent, Stored
from apiserver.watch_cache import WatchCache
from apiserver.watch_cache_index import INDEXES, Axis, Indexes
from apiserver.watch_cache_selection import Selected, select
from tests.support.examples import examples

PODS = KINDS["", "pods"]
NAMES = st.sampled_from(["a/x", "a/y", "a-b/x", "b/x", "b/z"])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["", "1", "2"]))
WRITES = st.tuples(NAMES, st.none() | st.tuples(LABELS, st.sampled_from(["", "n1", "n2"])))
SELECTORS = st.tuples(
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(
        ["", "app", "app=1", "app=1,tier=2", "app in (1,2,1)", "app!=1", "!tier", "app in (1),app notin (1)"]
    ),
    st.sampled_from(
        ["", "spec.nodeName=n1", "spec.nodeName=", "spec.nodeName!=n1", "metadata.name=x", "metadata.name=q"]
    ),
)


def _value(place: str, labels: dict[str, str], node: str) -> bytes:
    namespace, name = place.split("/")
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}}
    )


def _walk(cache: WatchCache, selected: Selected) -> list[str]:
    return [obj.place for obj in cache.every() if selected.matches(obj)]


@given(st.lists(WRITES | SELECTORS | st.just("reload"), max_size=40))
@examples(150)
def test_an_indexed_list_is_what_a_walk_finds(steps):
    """In the same order; after writes of all sorts, and after the whole list was read again."""
    cache, revision = WatchCache(PODS), 1
    for step in steps:
        revision += 1
        if step == "reload":
            prefix = PODS.storage_prefix
            kept = [Stored(f"{prefix}/{each.place}", each.json, each.revision) for each in cache.every()]
            cache.replace(kept, revision)
        elif len(step) == 2:
            place, written = step
            value = _value(place, *written) if written else None
            cache.apply(StorageEvent(f"{PODS.storage_prefix}/{place}", value, revision))
        else:
            selected = select(PODS, *step)
            found = [obj.place for obj in cache.list(selected)]
            assert found == _walk(cache, selected)
            page, following = cache.page(selected, 1)
            assert [obj.place for obj in page] == found[:1]
            assert following == max(0, len(found) - 1)


def test_an_index_is_made_for_what_is_asked_again_and_there_are_only_so_many() -> None:
    """A selector that nobody repeats costs no memory; the index that was not asked for longest goes."""
    indexes = Indexes()
    for key in range(2 * INDEXES):
        for _ in range(2):
            indexes.find(select(PODS, "", f"k{key}=1", ""), (), fewer_than=1)
    indexes.find(select(PODS, "", "once=1", ""), (), fewer_than=1)
    assert list(indexes._made) == [Axis(False, f"k{key}") for key in range(INDEXES, 2 * INDEXES)]
