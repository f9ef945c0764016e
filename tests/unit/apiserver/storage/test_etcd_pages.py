"""For how many keys etcd is asked at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apiserver.storage.etcd import next_page
from apiserver.storage.interface import LARGEST
from tests.support.examples import examples

MIB = 1024 * 1024


def test_pages_grow_with_small_values_and_shrink_at_once_with_large_ones() -> None:
    """Four times as many at most, up to a thousand; of large values as many as make four MiB."""
    assert next_page(32, [2_000] * 32) == 128
    assert next_page(500, [2_000] * 500) == 1_000
    assert next_page(1_000, [2_000] * 999 + [MIB]) == 4
    assert next_page(4, [MIB] * 4) == 4
    assert next_page(4, [2_000] * 4) == 16
    assert next_page(1, [9 * MIB]) == 1


@examples(100)
@given(st.lists(st.integers(0, LARGEST), min_size=1, max_size=50), st.integers(1, 1_000))
def test_a_page_like_the_last_one_takes_four_mib(found: list[int], size: int) -> None:
    """And every page has a key, so that a list comes to its end."""
    page = next_page(size, found)
    assert 1 <= page <= 1_000
    assert page * max(found) <= 4 * MIB or page == 1
