"""Recommendations as `kubarium recommend` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import ceil
from typing import Any, Final

from kubarium.cli.tables import table
from kubarium.core.recommending import Amounts, Key, Recommendation

HEAD: Final = ("NAMESPACE", "WORKLOAD", "CONTAINER", "CPU", "CPU BOUNDS", "MEMORY", "MEMORY BOUNDS")


def rows(found: Iterable[tuple[Key, Recommendation]]) -> list[tuple[str, ...]]:
    """Return recommendations as rows of a table."""
    return [
        (
            namespace,
            f"{kind}/{name}",
            container,
            _cpu(each.target),
            f"{_cpu(each.lower)}..{_cpu(each.upper)}",
            _memory(each.target),
            f"{_memory(each.lower)}..{_memory(each.upper)}",
        )
        for (namespace, kind, name, container), each in found
    ]


def documents(found: Iterable[tuple[Key, Recommendation]]) -> list[dict[str, Any]]:
    """Return recommendations as VerticalPodAutoscalers have them in their status, one for each workload."""
    by_workload: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for (namespace, kind, name, container), each in found:
        by_workload.setdefault((namespace, kind, name), []).append(
            {
                "containerName": container,
                "lowerBound": _amounts(each.lower),
                "target": _amounts(each.target),
                "upperBound": _amounts(each.upper),
            }
        )
    return [
        {"namespace": namespace, "kind": kind, "name": name, "containerRecommendations": containers}
        for (namespace, kind, name), containers in by_workload.items()
    ]


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {"cpu": _cpu(amounts), "memory": str(amounts.memory_bytes)}


def _cpu(amounts: Amounts) -> str:
    return f"{amounts.cpu_millicores}m"


def _memory(amounts: Amounts) -> str:
    return f"{ceil(amounts.memory_bytes / 2**20)}Mi"


def written(found: Iterable[tuple[Key, Recommendation]], output: str) -> str:
    """Write recommendations as they were asked for: a table, JSON or YAML."""
    if output == "table":
        known = rows(found)
        return f"{table(HEAD, known)}\n" if known else "no pod was seen that runs\n"
    if output == "json":
        return f"{json.dumps(documents(found), indent=2)}\n"
    import yaml

    return str(yaml.safe_dump(documents(found), sort_keys=False))
