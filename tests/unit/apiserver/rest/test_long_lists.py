"""Lists that are written in slices say what they would say in one piece."""

from __future__ import annotations

import msgspec
import pytest

from apiserver.objects import CachedObject
from apiserver.rest.long_lists import LongList, long_list
from apiserver.rest.replies import pretty, to_yaml

HEAD = b'{"kind":"ThingList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":['
TAIL = b"]}"


def item(number: int, size: int) -> CachedObject:
    obj = {"metadata": {"name": f"n{number}"}, "data": {"k": "x" * size, "empty": [], "none": None}}
    return CachedObject(f"default/n{number}", msgspec.json.encode(obj), number, f"uid-{number}", {}, {})


async def listed(count: int, size: int) -> tuple[LongList, bytes]:
    """Return a list in slices, and in one piece."""
    items = [item(number, size) for number in range(count)]
    found = await long_list(HEAD, items, lambda each: each.json, TAIL)
    return found, HEAD + b",".join(each.json for each in items) + TAIL


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 10), (3, 10), (7, 60_000), (3, 200_000)])
async def test_slices_make_one_list(count: int, size: int):
    """As JSON, for people, and as YAML; none, few that are small, many, and some that are each above a slice."""
    found, whole = await listed(count, size)
    assert found.json() == whole
    assert await found.pretty() == pretty(whole)
    assert await found.yaml() == to_yaml(whole)


async def test_no_slice_is_long():
    """So that others have their turn in between."""
    found, _ = await listed(40, 20_000)
    assert len(found.slices) > 5
    assert max(map(len, found.slices)) < 150_000
