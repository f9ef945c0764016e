"""Workloads: what has a template of pods, and the revisions of one."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import (
    AGE,
    NAME,
    NONE,
    WORKLOAD_COLUMNS,
    Cells,
    Column,
    Moment,
    Table,
    age,
    containers_text,
    labels_text,
    name,
    selector_text,
)
from apiserver.core.values import Json, metadata, spec


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
        *WORKLOAD_COLUMNS,
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
        *WORKLOAD_COLUMNS,
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


def _stateful_set(obj: Json, moment: Moment) -> Cells:
    ready = (obj.get("status") or {}).get("readyReplicas", 0)
    pod_spec = spec(spec(obj).get("template") or {})
    return [
        name(obj),
        f"{ready}/{spec(obj).get('replicas', 0)}",
        age(obj, moment),
        *containers_text(pod_spec),
    ]


def _daemon_set(obj: Json, moment: Moment) -> Cells:
    status = obj.get("status") or {}
    pod_spec = spec(spec(obj).get("template") or {})
    return [
        name(obj),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels_text(pod_spec.get("nodeSelector")),
        age(obj, moment),
        *_wide_cells(obj),
    ]


def _revision(obj: Json, moment: Moment) -> Cells:
    owners = metadata(obj).get("ownerReferences") or ()
    controller = next((each for each in owners if each.get("controller")), None)
    return [
        name(obj),
        _owner_text(controller) if controller else NONE,
        obj.get("revision", 0),
        age(obj, moment),
    ]


def _owner_text(owner: Json) -> str:
    """Write an owner as kubectl names objects: statefulset.apps/web."""
    group, slash, _ = owner.get("apiVersion", "").partition("/")
    kind = owner.get("kind", "").lower()
    return f"{kind}.{group}/{owner.get('name', '')}" if slash else f"{kind}/{owner.get('name', '')}"


def _replication_controller(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    return [
        name(obj),
        own.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, moment),
        *containers_text(spec(own.get("template") or {})),
        labels_text(own.get("selector")),
    ]


def _pod_template(obj: Json, _moment: Moment) -> Cells:
    template = obj.get("template") or {}
    return [name(obj), *containers_text(spec(template)), labels_text(metadata(template).get("labels"))]


STATEFUL_SETS: Final = Table(
    (
        NAME,
        Column("Ready", description="How many pods are ready, of how many."),
        AGE,
        *WORKLOAD_COLUMNS[:2],
    ),
    _stateful_set,
)
DAEMON_SETS: Final = Table(
    (
        NAME,
        Column("Desired", "integer", description="How many nodes shall run its pod."),
        Column("Current", "integer", description="How many of them run it."),
        Column("Ready", "integer", description="How many of them have it ready."),
        Column("Up-to-date", "integer", description="How many of them have the newest template."),
        Column("Available", "integer", description="How many of them have had it ready for long enough."),
        Column("Node Selector", description="The labels that nodes need to have."),
        AGE,
        *WORKLOAD_COLUMNS,
    ),
    _daemon_set,
)
CONTROLLER_REVISIONS: Final = Table(
    (
        NAME,
        Column("Controller", description="Whose revision it is."),
        Column("Revision", description="Its number."),
        AGE,
    ),
    _revision,
)
REPLICATION_CONTROLLERS: Final = Table(
    (
        NAME,
        Column("Desired", "integer", description="How many pods there shall be."),
        Column("Current", "integer", description="How many pods there are."),
        Column("Ready", "integer", description="How many pods are ready."),
        AGE,
        *WORKLOAD_COLUMNS,
    ),
    _replication_controller,
)
POD_TEMPLATES: Final = Table(
    (
        NAME,
        Column("Containers", description="The names of its containers."),
        Column("Images", description="Their images."),
        Column("Pod Labels", description="The labels of its pods."),
    ),
    _pod_template,
)
