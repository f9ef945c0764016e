"""HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.table.table import AGE, NAME, NONE, UNKNOWN, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, spec

_SHOWN: Final = 2  # metrics; those behind them are counted


def _autoscaler(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    target = own.get("scaleTargetRef") or {}
    return [
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(own.get("metrics") or [], status.get("currentMetrics") or []),
        str(own.get("minReplicas", "<unset>")),
        own.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj, moment),
    ]


def _metrics(wanted: list[Json], current: list[Json]) -> str:
    if not wanted:
        return NONE
    known = [*current, *({} for _ in wanted)]
    texts = [_metric(metric, known[index]) for index, metric in enumerate(wanted)]
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _metric(metric: Json, status: Json) -> str:
    """Write what a metric is, of what it shall be."""
    type_ = metric.get("type", "")
    field = type_[:1].lower() + type_[1:]
    source, now = metric.get(field) or {}, (status.get(field) or {}).get("current") or {}
    target = source.get("target") or {}
    match type_:
        case "Object" | "External" if "averageValue" in target:
            return f"{now.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
        case "Object" | "External":
            return f"{now.get('value', UNKNOWN)}/{target.get('value', UNKNOWN)}"
        case "Pods":
            return f"{now.get('averageValue', UNKNOWN)}/{target.get('averageValue', UNKNOWN)}"
        case "Resource" | "ContainerResource":
            return f"{source.get('name', '')}: {_resource(target, now)}"
        case _:
            return "<unknown type>"


def _resource(target: Json, now: Json) -> str:
    if "averageValue" in target:
        return f"{now.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    return f"{_share(now, UNKNOWN)}/{_share(target, '<auto>')}"


def _share(amounts: Json, otherwise: str) -> str:
    share: Any = amounts.get("averageUtilization")
    return otherwise if share is None else f"{share}%"


HORIZONTAL_POD_AUTOSCALERS: Final = Table(
    (
        NAME,
        Column("Reference", description="What it scales."),
        Column("Targets", description="What its metrics are, of what they shall be."),
        Column("MinPods", description="How many pods there are at least."),
        Column("MaxPods", description="How many pods there are at most."),
        Column("Replicas", description="How many pods there are."),
        AGE,
    ),
    _autoscaler,
)
