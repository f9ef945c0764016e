"""The checker of watches is shown a log, and clients who were told something else."""

from __future__ import annotations

import pytest

from tests.support.watch_log import Segment, Told, differences

LOG = [
    Told(3, "ADDED", "a", {"n": 1}),
    Told(5, "ADDED", "b", {"n": 2}),
    Told(6, "MODIFIED", "a", {"n": 3}),
    Told(8, "DELETED", "b"),
    Told(9, "ADDED", "b", {"n": 4}),
]


def segment(after: int, *told: Told, until: int = 0, listed: dict[str, int] | None = None) -> Segment:
    made = Segment(after, listed, list(told))
    made.until = until or max([after, *(each.revision for each in told)])
    return made


@pytest.mark.parametrize(
    "segments",
    [
        [segment(0, *LOG)],
        [segment(0, *LOG[:2]), segment(5, *LOG[2:])],
        [segment(5, LOG[2], listed={"a": 3, "b": 5}), segment(6, *LOG[3:])],
        [segment(0, LOG[0]), segment(9, listed={"a": 6, "b": 9})],
        [segment(0, LOG[0], until=4), segment(4, LOG[1])],
        [segment(12)],
    ],
)
def test_what_the_log_has_is_no_difference(segments: list[Segment]):
    """In one watch, in several that go on, after a list, up to a bookmark."""
    assert differences(LOG, segments) == []


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ([segment(0, LOG[0], LOG[2])], "not told: [5]"),
        ([segment(0, *LOG[:2], until=7)], "not told: [6]"),
        ([segment(0, *LOG[:2]), segment(6, LOG[3])], "goes on after 6, the one before it ended at 5"),
        ([segment(0, LOG[0], LOG[0])], "told twice: [3]"),
        ([segment(0, LOG[1], LOG[0])], "out of order: [5, 3]"),
        ([segment(0, LOG[0], Told(4, "ADDED", "x", {}))], "never written: [4]"),
        ([segment(0, LOG[0]._replace(type="MODIFIED"))], "written was Told(revision=3, type='ADDED'"),
        ([segment(0, LOG[0]._replace(obj={"n": 9}))], "told Told(revision=3"),
        ([segment(5, listed={"a": 3})], "a list at 5 shows {'a': 3}, the log has {'a': 3, 'b': 5}"),
        ([segment(8, listed={"a": 6, "b": 5})], "a list at 8 shows"),
    ],
)
def test_every_fault_is_found(segments: list[Segment], told: str):
    """Gaps, repetitions, other orders, other objects, lists of another state."""
    found = differences(LOG, segments)
    assert len(found) == 1
    assert told in found[0]
