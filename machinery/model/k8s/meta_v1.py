"""Kubernetes v1.36.0 meta/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.OwnerReference."""

    apiVersion: str
    blockOwnerDeletion: bool | None = None
    controller: bool | None = None
    kind: str
    name: str
    uid: str


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.ObjectMeta."""

    annotations: dict[str, str] = {}
    creationTimestamp: str | None = None
    deletionGracePeriodSeconds: int | None = None
    deletionTimestamp: str | None = None
    finalizers: list[str] = []
    generateName: str = ""
    generation: int | None = None
    labels: dict[str, str] = {}
    name: str = ""
    namespace: str = ""
    ownerReferences: list[OwnerReference] = []
    resourceVersion: str = ""
    selfLink: str = ""
    uid: str = ""


class LabelSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement."""

    key: str
    operator: str
    values: list[str] = []


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.LabelSelector."""

    matchExpressions: list[LabelSelectorRequirement] = []
    matchLabels: dict[str, str] = {}


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.Condition."""

    lastTransitionTime: str
    message: str
    observedGeneration: int | None = None
    reason: str
    status: str
    type: str


class Preconditions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.Preconditions."""

    resourceVersion: str = ""
    uid: str = ""


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.DeleteOptions."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    dryRun: list[str] = []
    gracePeriodSeconds: int | None = None
    ignoreStoreReadErrorWithClusterBreakingPotential: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "DeleteOptions")
    orphanDependents: bool | None = None
    preconditions: Preconditions | None = None
    propagationPolicy: str = ""


class StatusCause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.StatusCause."""

    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.StatusDetails."""

    causes: list[StatusCause] = []
    group: str = ""
    kind: str = ""
    name: str = ""
    retryAfterSeconds: int | None = None
    uid: str = ""


class ShardInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.ShardInfo."""

    selector: str


class ListMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.ListMeta."""

    continue_: str = msgspec.field(name="continue", default="")
    remainingItemCount: int | None = None
    resourceVersion: str = ""
    selfLink: str = ""
    shardInfo: ShardInfo | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.Status."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    code: int | None = None
    details: StatusDetails | None = None
    kind: str = msgspec.field(default_factory=lambda: "Status")
    message: str = ""
    metadata: ListMeta = ListMeta()
    reason: str = ""
    status: str = ""


class FieldSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement."""

    key: str
    operator: str
    values: list[str] = []
