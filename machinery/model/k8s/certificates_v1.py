"""Kubernetes v1.36.0 certificates/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class CertificateSigningRequestSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.certificates.v1.CertificateSigningRequestSpec."""

    expirationSeconds: int | None = None
    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    request: str
    signerName: str
    uid: str = ""
    usages: list[str] = []
    username: str = ""


class CertificateSigningRequestCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.certificates.v1.CertificateSigningRequestCondition."""

    lastTransitionTime: str | None = None
    lastUpdateTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class CertificateSigningRequestStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.certificates.v1.CertificateSigningRequestStatus."""

    certificate: str = ""
    conditions: list[CertificateSigningRequestCondition] = []


class CertificateSigningRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.certificates.v1.CertificateSigningRequest."""

    apiVersion: str = msgspec.field(default_factory=lambda: "certificates.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CertificateSigningRequest")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: CertificateSigningRequestSpec
    status: CertificateSigningRequestStatus = CertificateSigningRequestStatus()
