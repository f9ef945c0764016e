"""What bounds others: budgets of disruptions, priorities, quotas."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, metadata, spec

_MISSING: Final = "N/A"


def _budget(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    return [
        name(obj),
        str(own.get("minAvailable", _MISSING)),
        str(own.get("maxUnavailable", _MISSING)),
        status.get("disruptionsAllowed", 0),
        age(obj, moment),
    ]


def _priority_class(obj: Json, moment: Moment) -> Cells:
    return [
        name(obj),
        obj.get("value", 0),
        obj.get("globalDefault", False),
        age(obj, moment),
        obj.get("preemptionPolicy", ""),
    ]


def _quota(obj: Json, moment: Moment) -> Cells:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = {key: f"{key}: {used.get(key, '0')}/{hard[key]}" for key in sorted(hard)}
    limits = [text for key, text in texts.items() if key.startswith("limits.")]
    requests = [text for key, text in texts.items() if not key.startswith("limits.")]
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj, moment)]


def _limit_range(obj: Json, _moment: Moment) -> Cells:
    created: Any = metadata(obj).get("creationTimestamp", "")
    return [name(obj), created]


POD_DISRUPTION_BUDGETS: Final = Table(
    (
        NAME,
        Column("Min Available", description="How many pods have to stay."),
        Column("Max Unavailable", description="How many pods may be away."),
        Column("Allowed Disruptions", "integer", description="How many pods may go now."),
        AGE,
    ),
    _budget,
)
PRIORITY_CLASSES: Final = Table(
    (
        NAME,
        Column("Value", "integer", description="The priority of its pods."),
        Column("Global-Default", "boolean", description="Whether pods that name no class have it."),
        AGE,
        Column("PreemptionPolicy", description="Whether its pods may take the place of others."),
    ),
    _priority_class,
)
RESOURCE_QUOTAS: Final = Table(
    (
        NAME,
        Column("Request", description="What is used of what may be requested, and of what is counted."),
        Column("Limit", description="What is used of what limits may add up to."),
        AGE,
    ),
    _quota,
)
LIMIT_RANGES: Final = Table(
    (NAME, Column("Created At", "date", description="When it was created.")), _limit_range
)
