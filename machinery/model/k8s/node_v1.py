"""Kubernetes v1.36.0 node/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class Overhead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.node.v1.Overhead."""

    podFixed: dict[str, str] = {}


class Scheduling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.node.v1.Scheduling."""

    nodeSelector: dict[str, str] = {}
    tolerations: list[core_v1.Toleration] = []


class RuntimeClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.node.v1.RuntimeClass."""

    apiVersion: str = msgspec.field(default_factory=lambda: "node.k8s.io/v1")
    handler: str
    kind: str = msgspec.field(default_factory=lambda: "RuntimeClass")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
