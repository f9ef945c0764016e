"""FlowSchemas and PriorityLevelConfigurations."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, NONE, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, spec


def _schema(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    conditions = (obj.get("status") or {}).get("conditions") or ()
    dangling = (each.get("status", "") for each in conditions if each.get("type") == "Dangling")
    return [
        name(obj),
        (own.get("priorityLevelConfiguration") or {}).get("name", ""),
        own.get("matchingPrecedence", 0),
        (own.get("distinguisherMethod") or {}).get("type", NONE),
        age(obj, moment),
        next(dangling, "?"),
    ]


def _level(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    limited = own.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    return [
        name(obj),
        own.get("type", ""),
        limited.get("nominalConcurrencyShares", NONE),
        queuing.get("queues", NONE),
        queuing.get("handSize", NONE),
        queuing.get("queueLengthLimit", NONE),
        age(obj, moment),
    ]


FLOW_SCHEMAS: Final = Table(
    (
        NAME,
        Column("PriorityLevel", description="The priority level of its requests."),
        Column("MatchingPrecedence", description="The lowest one that matches a request counts."),
        Column("DistinguisherMethod", description="By what its requests are told apart."),
        AGE,
        Column("MissingPL", description="Whether its priority level is not there."),
    ),
    _schema,
)
PRIORITY_LEVEL_CONFIGURATIONS: Final = Table(
    (
        NAME,
        Column("Type", description="Whether its requests are limited."),
        Column("NominalConcurrencyShares", description="Its share of the requests that run at once."),
        Column("Queues", description="In how many queues its requests wait."),
        Column("HandSize", description="From how many of them a flow's requests choose."),
        Column("QueueLengthLimit", description="How many requests wait in a queue."),
        AGE,
    ),
    _level,
)
