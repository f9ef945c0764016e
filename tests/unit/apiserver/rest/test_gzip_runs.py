"""Long lists, compressed run by run."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from random import Random

import pytest

from apiserver.objects import CachedObject
from apiserver.request import ListReply, SharedItems
from apiserver.rest import gzip_parts
from apiserver.rest.gzip_runs import Runs
from apiserver.rest.lists import list_reply


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is compressed, as it comes."""
    contents: list[bytes] = []
    compress = gzip_parts.part

    def part(content: bytes) -> gzip_parts.Part:
        contents.append(content)
        return compress(content)

    monkeypatch.setattr(gzip_parts, "part", part)
    return contents


def item(number: int, version: int = 0, *, uid: str | None = None) -> CachedObject:
    json = b'{"name":"pod-%d","version":%d}' % (number, version)
    return CachedObject(f"a/pod-{number}", json, version, f"uid-{number}" if uid is None else uid, {}, {})


async def packed(runs: Runs, items: Sequence[CachedObject], separator: bytes = b",") -> bytes:
    """The items as whoever unpacks them has them."""
    part = await runs.part(items, [each.json for each in items], separator)
    return gzip.decompress(gzip_parts.join(b"", part, b""))


@pytest.mark.parametrize("separator", [b",", b""])
async def test_any_list_is_what_its_items_are(separator: bytes):
    """Whatever came, went and changed before it; also where there are none, or they have no uids."""
    random, runs, items = Random(7), Runs(budget=20_000), list[CachedObject]()
    for round_ in range(60):
        at = random.randint(0, len(items))
        match random.choice(["come", "come", "go", "change", "empty"]):
            case "come":
                uid = "" if random.random() < 0.3 else None
                items[at:at] = [item(100 * round_ + index, uid=uid) for index in range(random.randint(1, 90))]
            case "go":
                del items[at : at + random.randint(1, 30)]
            case "change":
                items[at : at + 1] = [item(100 * round_, round_)]
            case "empty" if random.random() < 0.1:
                items.clear()
        assert await packed(runs, items, separator) == separator.join(each.json for each in items)


async def test_a_change_has_its_run_compressed_anew(compressed: list[bytes]):
    """And so have an item that comes and one that goes; what is unchanged is not compressed at all."""
    runs, items = Runs(), [item(number) for number in range(500)]
    whole = await packed(runs, items)
    compressed.clear()
    assert await packed(runs, items) == whole
    assert not compressed
    for changed in (
        [*items[:200], item(200, 1), *items[201:]],
        [*items[:200], *items[201:]],
        [*items[:200], item(1000), *items[200:]],
    ):
        await packed(runs, changed)
        assert sum(map(len, compressed)) < len(whole) / 2
        compressed.clear()


async def test_no_more_runs_are_kept_than_there_is_room_for(compressed: list[bytes]):
    """The oldest go first."""
    runs = Runs(budget=2_500)  # two of the lists, uncompressed
    lists = [[item(number, version) for number in range(40)] for version in range(3)]
    for each in (*lists, lists[2]):
        await packed(runs, each)
    before = len(compressed)
    await packed(runs, lists[0])
    assert len(compressed) > before


async def test_a_list_is_the_same_for_those_who_take_no_gzip():
    """And the next time, and when it is read from the store for one reader."""
    items = SharedItems([item(number) for number in range(5_000)])
    for is_cached in (True, True, True, False):
        page = ListReply("v1", "Pod", items, 9, is_cached=is_cached)
        plain = await list_reply(page, Runs(), accepts_gzip=False)
        found = await list_reply(page, Runs(), accepts_gzip=True)
        assert (found.encoding, gzip.decompress(found.body)) == ("gzip", plain.body)
