"""Kubernetes v1.36.0 policy/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class Eviction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.policy.v1.Eviction."""

    apiVersion: str = msgspec.field(default_factory=lambda: "policy/v1")
    deleteOptions: meta_v1.DeleteOptions | None = None
    kind: str = msgspec.field(default_factory=lambda: "Eviction")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()


class PodDisruptionBudgetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.policy.v1.PodDisruptionBudgetSpec."""

    maxUnavailable: int | str | None = None
    minAvailable: int | str | None = None
    selector: meta_v1.LabelSelector | None = None
    unhealthyPodEvictionPolicy: str = ""


class PodDisruptionBudgetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.policy.v1.PodDisruptionBudgetStatus."""

    conditions: list[meta_v1.Condition] = []
    currentHealthy: int | None = None
    desiredHealthy: int | None = None
    disruptedPods: dict[str, str] = {}
    disruptionsAllowed: int | None = None
    expectedPods: int | None = None
    observedGeneration: int | None = None


class PodDisruptionBudget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.policy.v1.PodDisruptionBudget."""

    apiVersion: str = msgspec.field(default_factory=lambda: "policy/v1")
    kind: str = msgspec.field(default_factory=lambda: "PodDisruptionBudget")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()
