"""Kubernetes v1.36.0 authentication/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class BoundObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.BoundObjectReference."""

    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenRequestSpec."""

    audiences: list[str] = []
    boundObjectRef: BoundObjectReference | None = None
    expirationSeconds: int | None = None


class TokenRequestStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenRequestStatus."""

    expirationTimestamp: str | None = None
    token: str = ""


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenRequest."""

    apiVersion: str = msgspec.field(default_factory=lambda: "authentication.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "TokenRequest")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: TokenRequestSpec = TokenRequestSpec()
    status: TokenRequestStatus = TokenRequestStatus()


class TokenReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenReviewSpec."""

    audiences: list[str] = []
    token: str


class UserInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.UserInfo."""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    uid: str = ""
    username: str = ""


class TokenReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenReviewStatus."""

    audiences: list[str] = []
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo | None = None


class TokenReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.authentication.v1.TokenReview."""

    apiVersion: str = msgspec.field(default_factory=lambda: "authentication.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "TokenReview")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: TokenReviewSpec
    status: TokenReviewStatus = TokenReviewStatus()
