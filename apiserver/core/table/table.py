"""What a table is: columns, and how an object becomes a row.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
Columns, their order and the texts in them are those that users of `kubectl get` know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from apiserver.core.table.ages import human_age
from apiserver.core.values import Json, metadata

NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
Cells: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Those of a priority above 0 are shown by `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def to_dict(self) -> Json:
        """Write it as metav1.TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """When a table is printed: wall seconds since the epoch."""

    now_s: float

    def since(self, timestamp: str | None) -> str:
        """Return how long ago something was, as kubectl writes it."""
        return human_age(self.now_s, timestamp) if timestamp else UNKNOWN


@dataclass(frozen=True, slots=True)
class Table:
    """How objects of a kind are printed."""

    columns: tuple[Column, ...]
    row: Callable[[Json, Moment], Cells]


NAME: Final = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE: Final = Column("Age", description="How long the object has been there.")


def wide(name: str, type_: str = "string", description: str = "") -> Column:
    """Return a column that is shown by `-o wide` only."""
    return Column(name, type_, description=description, priority=1)


WORKLOAD_COLUMNS: Final = (wide("Containers"), wide("Images"), wide("Selector"))
"""What `-o wide` shows of everything that has a template of pods."""


def age(obj: Json, moment: Moment) -> str:
    """Return the age of an object."""
    return moment.since(metadata(obj).get("creationTimestamp"))


def name(obj: Json) -> str:
    """Return the name of an object."""
    return str(metadata(obj).get("name", ""))


NAME_AND_AGE: Final = Table((NAME, AGE), lambda obj, moment: [name(obj), age(obj, moment)])
"""How a kind is printed that says nothing about it."""


def labels_text(labels: Json | None) -> str:
    """Write labels as a selector: a=b,c=d."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Json | None) -> str:
    """Write a LabelSelector as text."""
    if selector is None:
        return NONE
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    terms += [_term(each) for each in selector.get("matchExpressions") or ()]
    return ",".join(terms) or NONE


def _term(expression: Json) -> str:
    key, values = expression.get("key", ""), ",".join(sorted(expression.get("values") or ()))
    match expression.get("operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return str(key)


def containers_text(pod_spec: Json) -> tuple[str, str]:
    """Return the names and the images of a pod's containers."""
    containers = pod_spec.get("containers") or ()
    return (
        ",".join(each.get("name", "") for each in containers),
        ",".join(each.get("image", "") for each in containers),
    )
