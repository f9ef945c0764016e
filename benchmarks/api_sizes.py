"""How much the benchmark of the API measures, over both doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = (1, 16)
WATCHERS: Final = (1, 100, 500)
LONE_S: Final = 0.05  # between two changes, so that none waits for another
SMALL, LARGE = "api-bench-small", "api-bench-large"  # namespaces


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    small: int = 500  # pods of a list
    large: int = 10_000
    gets: int = 2_000
    lists: int = 100
    large_lists: int = 8
    writes: int = 200
    changes: int = 100  # that each watcher is told
