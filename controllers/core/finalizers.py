"""Finalizers, set and removed at the revision that was read."""

from __future__ import annotations

from typing import Any

from controllers.core.actions import Patch
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource


def with_finalizer(resource: Resource[Any], meta: ObjectMeta, name: str) -> Patch:
    """Add a finalizer to an object that has it not."""
    return _patch(resource, meta, [*meta.finalizers, name])


def without_finalizer(resource: Resource[Any], meta: ObjectMeta, name: str) -> Patch:
    """Remove a finalizer from an object; with the last one a deleted object goes."""
    return _patch(resource, meta, [each for each in meta.finalizers if each != name])


def _patch(resource: Resource[Any], meta: ObjectMeta, finalizers: list[str]) -> Patch:
    change = {"finalizers": finalizers, "uid": meta.uid, "resourceVersion": meta.resourceVersion}
    return Patch(resource, meta.namespace, meta.name, {"metadata": change}, absent_is_fine=True)
