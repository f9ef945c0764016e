"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may have which certificates signed.

Who may write a CertificateSigningRequest's approval or status also needs permission for its signer.
https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from apiserver.core.admission.attributes import (
    Attributes,
    Demand,
    LookedUp,
    Permission,
    Plugin,
    Settings,
    forbidden,
)
from apiserver.core.values import Json, spec

_GROUP: Final = "certificates.k8s.io"
_REQUESTS: Final = frozenset({(_GROUP, "certificatesigningrequests")})
_CLIENT_SIGNER: Final = "kubernetes.io/kube-apiserver-client"
_MASTERS: Final = "system:masters"


def _of_signer(verb: str, signer: str, refusal: str) -> Demand:
    """Demand a permission for a signer, or for all of its domain."""
    domain = signer.partition("/")[0]
    return Demand(
        tuple(Permission(verb, _GROUP, "signers", name=name) for name in (signer, f"{domain}/*")), refusal
    )


def _signer(request: Json) -> str:
    return str(spec(request).get("signerName") or "")


def _approval(attributes: Attributes, _obj: Json, old: Json | None) -> Iterator[Demand]:
    if attributes.subresource == "approval" and old is not None:
        signer = _signer(old)
        yield _of_signer(
            "approve", signer, f'user not permitted to approve requests with signerName "{signer}"'
        )


def _signing(attributes: Attributes, obj: Json, old: Json | None) -> Iterator[Demand]:
    if attributes.subresource != "status" or old is None:
        return
    new, before = obj.get("status") or {}, old.get("status") or {}
    if any(new.get(field) != before.get(field) for field in ("certificate", "conditions")):
        signer = _signer(old)
        yield _of_signer("sign", signer, f'user not permitted to sign requests with signerName "{signer}"')


def _validate_subject(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if attributes.subresource or not attributes.creates(old) or _signer(obj) != _CLIENT_SIGNER:
        return ()
    if _MASTERS in _organizations(attributes, obj):
        text = f"use of {_CLIENT_SIGNER} signer with {_MASTERS} group is not allowed"
        raise forbidden(attributes, obj, text)
    return ()


def _organizations(attributes: Attributes, obj: Json) -> list[str]:
    """Return the groups that a certificate would name."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        pem = base64.b64decode(spec(obj).get("request") or "", validate=True)
        subject = x509.load_pem_x509_csr(pem).subject
    except (ValueError, binascii.Error) as error:
        raise forbidden(attributes, obj, f"failed to parse CSR: {error}") from error
    return [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


CERTIFICATE_APPROVAL: Final = Plugin("CertificateApproval", _REQUESTS, demands=_approval)
CERTIFICATE_SIGNING: Final = Plugin("CertificateSigning", _REQUESTS, demands=_signing)
CERTIFICATE_SUBJECT: Final = Plugin("CertificateSubjectRestriction", _REQUESTS, validate=_validate_subject)
