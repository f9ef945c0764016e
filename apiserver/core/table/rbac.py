"""Roles and bindings."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import NAME, Cells, Column, Moment, Table, age, name, wide
from apiserver.core.values import Json, metadata

_CREATED: Final = Column("Created At", "date", description="When it was created.")
_AGE: Final = Column("Age", description="How long the object has been there.")


def _role(obj: Json, _moment: Moment) -> Cells:
    return [name(obj), metadata(obj).get("creationTimestamp", "")]


def _binding(obj: Json, moment: Moment) -> Cells:
    role = obj.get("roleRef") or {}
    subjects = obj.get("subjects") or ()
    accounts = [
        f"{s.get('namespace', '')}/{s.get('name', '')}" for s in subjects if s.get("kind") == "ServiceAccount"
    ]
    return [
        name(obj),
        f"{role.get('kind', '')}/{role.get('name', '')}",
        age(obj, moment),
        ", ".join(s.get("name", "") for s in subjects if s.get("kind") == "User"),
        ", ".join(s.get("name", "") for s in subjects if s.get("kind") == "Group"),
        ", ".join(accounts),
    ]


ROLES: Final = Table((NAME, _CREATED), _role)
BINDINGS: Final = Table(
    (
        NAME,
        Column("Role", description="What it gives."),
        _AGE,
        wide("Users"),
        wide("Groups"),
        wide("ServiceAccounts"),
    ),
    _binding,
)
