"""What goes beside the event loop, and what does not."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from apiserver.aside import SMALL, aside, weigh
from apiserver.core import writes
from apiserver.registry import reads
from tests.support.apiserver import running_registry

HERE = threading.current_thread


async def test_little_work_is_done_at_once_and_much_of_it_elsewhere() -> None:
    """A thread costs more than little work does."""
    assert await aside(SMALL, HERE) is threading.current_thread()
    assert await aside(SMALL + 1, HERE) is not threading.current_thread()


async def test_an_error_comes_back() -> None:
    """Wherever it was raised."""
    for weight in (0, SMALL + 1):
        with pytest.raises(ValueError, match="invalid literal"):
            await aside(weight, int, "x")


@pytest.mark.parametrize(
    ("value", "is_heavy"),
    [
        ({"a": ["b", {"c": 1}]}, False),
        ({"a": "x" * (SMALL - 8)}, False),
        ({"a": {"b": ["x" * SMALL, "y"]}}, True),
        ({"a": [{}] * 20_000}, True),
    ],
)
def test_many_values_and_long_ones_are_heavy(value: Any, is_heavy: bool) -> None:
    """As JSON has them."""
    assert (weigh(value) > SMALL) is is_heavy


async def test_a_large_object_is_read_and_checked_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is created, and when a small patch of it is."""
    where: list[threading.Thread] = []

    def noting(work: Any) -> Any:
        def noted(*given: Any, **options: Any) -> Any:
            where.append(threading.current_thread())
            return work(*given, **options)

        return noted

    monkeypatch.setattr(writes, "normalize", noting(writes.normalize))
    monkeypatch.setattr(writes, "check_create", noting(writes.check_create))
    monkeypatch.setattr(writes, "check_update", noting(writes.check_update))
    large = {"metadata": {"name": "a"}, "data": {f"k{number}": "v" for number in range(20_000)}}
    async with running_registry() as bench:
        where.clear()
        await bench.create("configmaps", large)
        await bench.patch("configmaps", "a", {"data": {"k0": "w"}})
        assert len(where) == 4
        assert threading.current_thread() not in where
        where.clear()
        await bench.create("configmaps", {"metadata": {"name": "b"}})
        await bench.patch("configmaps", "b", {"data": {"k0": "w"}})
        assert set(where) == {threading.current_thread()}


async def test_a_long_selector_is_compared_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every object; what is found is the same, and nobody remembers it."""
    where: list[threading.Thread] = []
    real = reads._those
    monkeypatch.setattr(
        reads, "_those", lambda *given: where.append(threading.current_thread()) or real(*given)
    )
    async with running_registry() as bench:
        for number in range(500):
            await bench.create("configmaps", {"metadata": {"name": f"a{number}"}})
        terms = ",".join(f"!k{number}" for number in range(300))
        monkeypatch.setattr("apiserver.aside.SMALL", 1_000)
        found = await bench.list("configmaps", label_selector=terms)
        assert len(found.items) == 500
    assert len(where) == 1
    assert where[0] is not threading.current_thread()
