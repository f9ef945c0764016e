"""Kubernetes v1.36.0 rbac/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class AggregationRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.AggregationRule."""

    clusterRoleSelectors: list[meta_v1.LabelSelector] = []


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.PolicyRule."""

    apiGroups: list[str] = []
    nonResourceURLs: list[str] = []
    resourceNames: list[str] = []
    resources: list[str] = []
    verbs: list[str]


class ClusterRole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.ClusterRole."""

    aggregationRule: AggregationRule | None = None
    apiVersion: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ClusterRole")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    rules: list[PolicyRule] = []


class RoleRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.RoleRef."""

    apiGroup: str = ""
    kind: str
    name: str


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.Subject."""

    apiGroup: str = ""
    kind: str
    name: str
    namespace: str = ""


class ClusterRoleBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.ClusterRoleBinding."""

    apiVersion: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ClusterRoleBinding")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    roleRef: RoleRef
    subjects: list[Subject] = []


class Role(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.Role."""

    apiVersion: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "Role")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    rules: list[PolicyRule] = []


class RoleBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.rbac.v1.RoleBinding."""

    apiVersion: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "RoleBinding")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    roleRef: RoleRef
    subjects: list[Subject] = []
