"""Kubernetes v1.36.0 authorization/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class NonResourceAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.NonResourceAttributes."""

    path: str = ""
    verb: str = ""


class FieldSelectorAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.FieldSelectorAttributes."""

    rawSelector: str = ""
    requirements: list[meta_v1.FieldSelectorRequirement] = []


class LabelSelectorAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.LabelSelectorAttributes."""

    rawSelector: str = ""
    requirements: list[meta_v1.LabelSelectorRequirement] = []


class ResourceAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.ResourceAttributes."""

    fieldSelector: FieldSelectorAttributes | None = None
    group: str = ""
    labelSelector: LabelSelectorAttributes | None = None
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class SelfSubjectAccessReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.SelfSubjectAccessReviewSpec."""

    nonResourceAttributes: NonResourceAttributes | None = None
    resourceAttributes: ResourceAttributes | None = None


class SubjectAccessReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.SubjectAccessReviewStatus."""

    allowed: bool
    denied: bool | None = None
    evaluationError: str = ""
    reason: str = ""


class SelfSubjectAccessReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.SelfSubjectAccessReview."""

    apiVersion: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SelfSubjectAccessReview")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: SelfSubjectAccessReviewSpec
    status: SubjectAccessReviewStatus


class SubjectAccessReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.SubjectAccessReviewSpec."""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    nonResourceAttributes: NonResourceAttributes | None = None
    resourceAttributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authorization.v1.SubjectAccessReview."""

    apiVersion: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SubjectAccessReview")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: SubjectAccessReviewSpec
    status: SubjectAccessReviewStatus
