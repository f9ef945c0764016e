"""Deployments and ReplicaSets."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import (
    AGE,
    NAME,
    Cells,
    Column,
    Moment,
    Table,
    age,
    containers_text,
    name,
    selector_text,
    wide,
)
from apiserver.core.values import Json, spec

_WIDE: Final = (wide("Containers"), wide("Images"), wide("Selector"))


def _wide_cells(obj: Json) -> Cells:
    pod_spec = spec(spec(obj).get("template") or {})
    return [*containers_text(pod_spec), selector_text(spec(obj).get("selector"))]


def _deployment(obj: Json, moment: Moment) -> Cells:
    status = obj.get("status") or {}
    return [
        name(obj),
        f"{status.get('readyReplicas', 0)}/{spec(obj).get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, moment),
        *_wide_cells(obj),
    ]


def _replica_set(obj: Json, moment: Moment) -> Cells:
    status = obj.get("status") or {}
    return [
        name(obj),
        spec(obj).get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, moment),
        *_wide_cells(obj),
    ]


DEPLOYMENTS: Final = Table(
    (
        NAME,
        Column("Ready", description="How many pods are ready, of how many."),
        Column("Up-to-date", description="How many pods have the newest template."),
        Column("Available", description="How many pods have been ready for long enough."),
        AGE,
        *_WIDE,
    ),
    _deployment,
)
REPLICA_SETS: Final = Table(
    (
        NAME,
        Column("Desired", "integer", description="How many pods there shall be."),
        Column("Current", "integer", description="How many pods there are."),
        Column("Ready", "integer", description="How many pods are ready."),
        AGE,
        *_WIDE,
    ),
    _replica_set,
)


def _scale(obj: Json, moment: Moment) -> Cells:
    replicas = (obj.get("status") or {}).get("replicas", 0)
    return [name(obj), spec(obj).get("replicas", 0), replicas, age(obj, moment)]


SCALES: Final = Table(
    (NAME, Column("Desired", "integer"), Column("Available", "integer"), AGE),
    _scale,
)
