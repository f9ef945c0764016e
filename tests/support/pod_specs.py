"""Pods as a client sends them (JSON), and the rules that the apiserver runs on them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from apiserver import schemas
from apiserver.core import writes
from apiserver.core.kinds import KINDS
from apiserver.core.rules import WriteContext
from apiserver.core.values import Json
from machinery.model.errors import Invalid

CONTEXT = WriteContext(now="2026-01-01T00:00:00Z", uid="uid-1", suffix="x2x4b")


def pod(name: str = "web", *, container: Json | None = None, **spec: Any) -> Json:
    """Return a Pod with one container, changed by `container` and by fields of the spec."""
    main = {"name": "main", "image": "app:1", **(container or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [main], **spec},
    }


def deployment(name: str = "web", *, template: Json | None = None, **spec: Any) -> Json:
    """Return a Deployment of pods labelled app=web."""
    return workload("Deployment", name, template, spec)


def replica_set(name: str = "web", *, template: Json | None = None, **spec: Any) -> Json:
    """Return a ReplicaSet of pods labelled app=web."""
    return workload("ReplicaSet", name, template, spec)


def workload(kind: str, name: str, template: Json | None, spec: Json) -> Json:
    """Return an object of a kind that selects pods labelled app=web, of which `template` changes the spec."""
    pods = {"containers": [{"name": "main", "image": "app:1"}], **(template or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pods},
            **spec,
        },
    }


def read(obj: Json, plural: str = "pods", group: str = "") -> Json:
    """Normalize and default an object, as the write path does before admission."""
    return writes.read(schemas.load(), KINDS[group, plural], obj, namespace="default").obj


def created(obj: Json, plural: str = "pods", group: str = "") -> Json:
    """Return the object that would be stored, without admission."""
    return writes.create(KINDS[group, plural], read(obj, plural, group), CONTEXT)


def updated(new: Json, old: Json, plural: str = "pods", group: str = "") -> Json:
    """Return the object that would be stored in place of `old`."""
    return writes.update(KINDS[group, plural], read(deepcopy(new), plural, group), old, CONTEXT)


def with_status(new: Json, old: Json, plural: str = "pods", group: str = "") -> Json:
    """Return the object that a write to the status subresource would store."""
    return writes.update_status(KINDS[group, plural], read(deepcopy(new), plural, group), old, CONTEXT)


def complaints(obj: Json, plural: str = "pods", group: str = "") -> list[str]:
    """Return what a create is refused for: "path: message"; [] where it is not."""
    try:
        created(obj, plural, group)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def update_complaints(new: Json, old: Json, plural: str = "pods", group: str = "") -> list[str]:
    """Return what an update is refused for."""
    try:
        updated(new, old, plural, group)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []
