"""How much slower than the machine on which bounds of CPU were written this one is at the moment.

Seconds of CPU are not the same everywhere: a slower processor makes more of them of the same work, and so does one whose core
is shared with another thread, or whose caches others empty.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Final

_REFERENCE_S: Final = 0.00135  # of CPU, for `_work`, where the bounds were written
_TIMES: Final = 31
_OBJECTS: Final = [
    {"name": f"n{number}", "labels": {"a": "b" * 20}, "numbers": list(range(20))} for number in range(300)
]


def times_slower() -> float:
    """Return how many times as much CPU as there a piece of work takes here, now; at least 1."""
    text = json.dumps(_OBJECTS)
    return max(1.0, statistics.median(_work(text) for _ in range(_TIMES)) / _REFERENCE_S)


def _work(text: str) -> float:
    began = time.thread_time()
    found = json.loads(text)
    sum(len(each["name"]) * each["numbers"][3] for each in found for _ in range(20))
    json.dumps(found)
    return time.thread_time() - began
