"""What the caches read at the start: everything at once, each kind what is its own."""

from __future__ import annotations

import pytest

from apiserver.storage.interface import Stored
from apiserver.watch_cache_feed import Everything

KEYS = [
    "/registry/ingress/default/a",
    "/registry/ingress/default/b",
    "/registry/ingressclasses/a",
    "/registry/services/endpoints/default/a",
    "/registry/services/specs/default/a",
    "/registry/toys.example.com/widgets/default/a",
]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("/registry/ingress", [0, 1]),
        ("/registry/ingressclasses", [2]),
        ("/registry/services/specs", [4]),
        ("/registry/toys.example.com/widgets", [5]),
        ("/registry/toys.example.com/widget", []),
        ("/registry/aaa", []),
        ("/registry/zzz", []),
    ],
)
def test_a_kind_has_what_lies_below_its_prefix(prefix: str, found: list[int]) -> None:
    """And nothing of a kind whose prefix begins alike."""
    everything = Everything([Stored(key, b"{}", 1) for key in KEYS])
    assert [item.key for item in everything.below(prefix)] == [KEYS[index] for index in found]
