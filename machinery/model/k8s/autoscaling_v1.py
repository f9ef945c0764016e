"""Kubernetes v1.36.0 autoscaling/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class ScaleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v1.ScaleSpec."""

    replicas: int | None = None


class ScaleStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v1.ScaleStatus."""

    replicas: int
    selector: str = ""


class Scale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v1.Scale."""

    apiVersion: str = msgspec.field(default_factory=lambda: "autoscaling/v1")
    kind: str = msgspec.field(default_factory=lambda: "Scale")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ScaleSpec = ScaleSpec()
    status: ScaleStatus
