"""An explanation of a pod's place, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from kubarium.core.simulating.amounts import written
from machinery.model.simulation import Explanation, HintText, NodeVerdicts

Row = tuple[str, ...]
_MOST_ROWS: Final = 30  # of nodes, for people
_MOST_NAMES: Final = 3


def head_lines(found: Explanation) -> Iterator[str]:
    """Yield who is explained, and what came of it in all."""
    asked = ", ".join(
        f"{name} {written(name, amount)}" for name, amount in found.requests.items() if name != "pods"
    )
    yield f"pod {found.namespace}/{found.name} requests {asked or 'nothing'}; profile {found.profile}"
    if found.node:
        yield f"it is on {found.node}; judged as of now, as if it were not there"
    if found.nominated:
        yield f"{found.nominated} is kept for it, until the pods that made room are gone"
    if found.gate:
        yield f"it is not looked at: {found.gate}"
    if found.message:
        yield found.message
    elif fitting := [each for each in _ranked(found.nodes) if each.fits]:
        best = [each.name for each in fitting if each.score == fitting[0].score]
        yield f"it fits on {len(fitting)} of {_nodes(len(found.nodes))}; best: {_names(best)}, score {fitting[0].score}"


def verdict_rows(found: Explanation) -> tuple[Row, list[Row]]:
    """Return the head and the rows of a table: of each node its score, or what rejects it."""
    rows: list[Row] = [
        (each.name, str(each.score) if each.score is not None else "-", _why(each))
        for each in _ranked(found.nodes)[:_MOST_ROWS]
    ]
    return ("NODE", "SCORE", "WHY NOT"), rows


def score_rows(found: Explanation) -> tuple[Row, list[Row]]:
    """Return the head and the rows of a table: what each plugin's points count, with the raw score behind them."""
    fitting = [each for each in _ranked(found.nodes) if each.fits]
    plugins = list(
        dict.fromkeys(
            (verdict.plugin, verdict.weight)
            for node in fitting
            for verdict in node.verdicts
            if verdict.points is not None
        )
    )
    rows: list[Row] = []
    for node in fitting[:_MOST_ROWS]:
        cells = {verdict.plugin: verdict for verdict in node.verdicts}
        points = [_points(cells[name].points, weight, cells[name].raw) for name, weight in plugins]
        rows.append((node.name, str(node.score), *points))
    return ("NODE", "SCORE", *(f"{name} x{weight}" for name, weight in plugins)), rows


def more_line(found: Explanation) -> str:
    """Return what is said of nodes that are not in the tables, "" where all are."""
    more = len(found.nodes) - _MOST_ROWS
    return f"and {more} nodes more: -o json has all" if more > 0 else ""


def hint_lines(hints: Sequence[HintText]) -> Iterator[str]:
    """Yield what would have to change, and for which nodes."""
    for each in hints:
        yield f"{_nodes(len(each.nodes))} if {', and '.join(each.changes)} ({_names(each.nodes)})"


def document(found: Explanation) -> dict[str, Any]:
    """Return everything, for programs."""
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made


def _ranked(nodes: Sequence[NodeVerdicts]) -> list[NodeVerdicts]:
    return sorted(nodes, key=lambda each: (each.score is None, -(each.score or 0)))


def _why(node: NodeVerdicts) -> str:
    return "; ".join(
        f"{verdict.plugin}: {', '.join(verdict.reasons)}" for verdict in node.verdicts if verdict.reasons
    )


def _points(points: int | None, weight: int, raw: int | None) -> str:
    if points is None:
        return "-"
    return f"{points * weight}" if raw in {None, points} else f"{points * weight} (raw {raw})"


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
