"""CertificateSigningRequests: what is asked for, whether a kubelet may be asking, and what has been decided.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
)

CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
LEGACY: Final = "kubernetes.io/legacy-unknown"
SIGNERS: Final = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY)

_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"
_SIGNATURE: Final = "digital signature"
_ENCIPHERMENT: Final = "key encipherment"
_CLIENT_AUTH: Final = "client auth"
_SERVER_AUTH: Final = "server auth"


@dataclass(frozen=True, slots=True)
class Requested:
    """What a request for a certificate (PKCS #10) says."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def read_requested(request: str) -> Requested | None:
    """Read the request of a CertificateSigningRequest, which is PEM in Base64; None where it is none."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_pem_x509_csr(b64decode(request, validate=True))
        names = [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        groups = [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        alternatives = _alternatives(found)
    except ValueError:
        return None

    def of(kind: type[x509.GeneralName]) -> tuple[str, ...]:
        return tuple(str(each.value) for each in alternatives if isinstance(each, kind))

    return Requested(
        names[0] if names else "",
        tuple(groups),
        of(x509.DNSName),
        of(x509.IPAddress),
        of(x509.RFC822Name),
        of(x509.UniformResourceIdentifier),
    )


def _alternatives(found: object) -> list[object]:
    from cryptography import x509

    if not isinstance(found, x509.CertificateSigningRequest):
        return []
    try:
        return list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def kubelet_client_fault(asked: Requested, usages: Collection[str]) -> str:
    """Return why a request is none of a kubelet's client certificate; "" where it may be."""
    if asked.organizations != (_NODES,):
        return "subject organization is not system:nodes"
    for what, values in (
        ("DNS", asked.dns_names),
        ("email", asked.emails),
        ("IP", asked.addresses),
        ("URI", asked.uris),
    ):
        if values:
            return f"{what} subjectAltNames are not allowed"
    if not asked.common_name.startswith(_NODE_PREFIX):
        return "subject common name does not begin with system:node: "
    return _usages_fault(usages, _CLIENT_AUTH)


def kubelet_serving_fault(asked: Requested, usages: Collection[str]) -> str:
    """Return why a request is none of a kubelet's serving certificate; "" where it may be."""
    if asked.organizations != (_NODES,):
        return "subject organization is not system:nodes"
    if not asked.dns_names and not asked.addresses:
        return "DNS or IP subjectAltName is required"
    for what, values in (("email", asked.emails), ("URI", asked.uris)):
        if values:
            return f"{what} subjectAltNames are not allowed"
    if not asked.common_name.startswith(_NODE_PREFIX):
        return "subject common name does not begin with system:node: "
    return _usages_fault(usages, _SERVER_AUTH)


def client_fault(usages: Collection[str]) -> str:
    """Return why the signer of client certificates does not sign a request; "" where it does."""
    for usage in usages:
        if usage not in {_SIGNATURE, _ENCIPHERMENT, _CLIENT_AUTH}:
            return f"invalid usage for client certificate: {usage}"
    if _CLIENT_AUTH not in usages:
        return f"missing required usage for client certificate: {_CLIENT_AUTH}"
    return ""


def _usages_fault(usages: Collection[str], purpose: str) -> str:
    allowed = ({_SIGNATURE, purpose}, {_SIGNATURE, _ENCIPHERMENT, purpose})
    if set(usages) in allowed:
        return ""
    return f"usages did not match [{_SIGNATURE} {_ENCIPHERMENT} {purpose}] or [{_SIGNATURE} {purpose}]"


def condition_of(request: CertificateSigningRequest, type_: str) -> CertificateSigningRequestCondition | None:
    """Return the condition of a type, None where there is none."""
    return next((each for each in request.status.conditions if each.type == type_), None)


def is_decided(request: CertificateSigningRequest) -> bool:
    """Whether somebody has approved or denied the request."""
    return condition_of(request, "Approved") is not None or condition_of(request, "Denied") is not None
