"""Kubernetes v1.36.0 coordination/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class LeaseSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.coordination.v1.LeaseSpec."""

    acquireTime: str | None = None
    holderIdentity: str = ""
    leaseDurationSeconds: int | None = None
    leaseTransitions: int | None = None
    preferredHolder: str = ""
    renewTime: str | None = None
    strategy: str = ""


class Lease(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.coordination.v1.Lease."""

    apiVersion: str = msgspec.field(default_factory=lambda: "coordination.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "Lease")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: LeaseSpec = LeaseSpec()
