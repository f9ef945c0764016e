"""A kubelet's certificates: what it asks for, when it asks again, and what came of a request.

https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal

from machinery.model.backoff import Backoff
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from machinery.model.k8s.meta_v1 import ObjectMeta

RETRY: Final = Backoff(2.0, 32.0)  # wall seconds between two requests of which nothing came
WAIT_S: Final = 15 * 60.0  # cluster seconds that an approval and a certificate are waited for
_EARLIEST, _SPREAD = 0.7, 0.2  # shares of a certificate's life, after which it is renewed
_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_VERSION, _UTC_TIME, _TIME = 0xA0, 0x17, 0x18  # tags of DER
_LONG: Final = 0x80  # of a length: how many bytes it has
_PIVOT: Final = 50  # years of two digits from here on are of the last century (RFC 5280, 4.1.2.5.1)


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate is valid: wall seconds since 1970."""

    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What a certificate is to say."""

    kind: Literal["kubelet-client", "kubelet-server"]  # as its files are called
    signer: str
    node_name: str
    usages: tuple[str, ...]
    addresses: tuple[str, ...] = ()  # where it serves; a certificate that serves carries the node's name, too

    @property
    def common_name(self) -> str:
        """The user that the node is."""
        return f"{_NODE_PREFIX}{self.node_name}"

    @property
    def organization(self) -> str:
        """The group of all nodes."""
        return _NODES

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The names under which it serves."""
        return (self.node_name,) if self.kind == "kubelet-server" else ()


@dataclass(frozen=True, slots=True)
class Issued:
    """The certificate of a request, as PEM."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """There will be none; why."""

    why: str


def client_wish(node_name: str) -> Wish:
    """Return the certificate with which a kubelet comes to the apiserver."""
    usages = ("digital signature", "client auth")
    return Wish("kubelet-client", "kubernetes.io/kube-apiserver-client-kubelet", node_name, usages)


def serving_wish(node_name: str, addresses: tuple[str, ...]) -> Wish:
    """Return the certificate that a kubelet shows to the apiserver."""
    usages = ("digital signature", "server auth")
    return Wish("kubelet-server", "kubernetes.io/kubelet-serving", node_name, usages, addresses)


def due_s(validity: Validity, drawn: float) -> float:
    """Return when a certificate is to be renewed: after 70 to 90 % of its life; `drawn` is a random number in [0, 1)."""
    return validity.begins_s + (validity.ends_s - validity.begins_s) * (_EARLIEST + _SPREAD * drawn)


def request_name(public_key: bytes) -> str:
    """Return the name of the request for a key: the same one after a restart."""
    return f"node-csr-{sha256(public_key).hexdigest()[:43]}"


def signing_request(name: str, pem: bytes, wish: Wish) -> CertificateSigningRequest:
    """Return the object that asks for a certificate; `pem` is the request itself (PKCS #10)."""
    spec = CertificateSigningRequestSpec(
        request=b64encode(pem).decode(), signerName=wish.signer, usages=list(wish.usages)
    )
    return CertificateSigningRequest(metadata=ObjectMeta(name=name), spec=spec)


def outcome(request: CertificateSigningRequest) -> Issued | Refused | None:
    """Return what came of a request; None where it is not decided, or not signed yet."""
    conditions = {each.type: each for each in request.status.conditions}
    for type_, what in (("Denied", "denied"), ("Failed", "not signed")):
        if (found := conditions.get(type_)) is not None:
            return Refused(f"it was {what}: {found.reason}: {found.message}")
    if "Approved" in conditions and request.status.certificate:
        return Issued(b64decode(request.status.certificate))
    return None


def read_validity(pem: bytes) -> Validity:
    """Return when the first certificate of a PEM file is valid.

    Only this is read, so that a kubelet does not need the large library for certificates until it asks for one.

    Raises:
        ValueError: there is no certificate.
    """
    rest = pem.partition(_BEGIN)[2]
    body, end, _ = rest.partition(_END)
    if not end:
        raise ValueError("there is no certificate in it")
    try:
        fields = _elements(_elements(_elements(b64decode(body))[0][1])[0][1])
        place = 3 + (fields[0][0] == _VERSION)  # after version, serial number, algorithm and issuer
        begins, ends = (_seconds(*each) for each in _elements(fields[place][1]))
    except (IndexError, ValueError) as error:
        raise ValueError("what it has is no certificate") from error
    return Validity(begins, ends)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Split what DER puts one after the other into tags and contents."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & _LONG:
            width = size & ~_LONG
            size, at = int.from_bytes(data[at : at + width]), at + width
        if at + size > len(data):
            raise ValueError("it is cut off")
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _seconds(tag: int, data: bytes) -> float:
    text = data.decode("ascii").removesuffix("Z")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _PIVOT else "20") + text
    elif tag != _TIME:
        raise ValueError("it is no time")
    parts = [int(text[place : place + 2]) for place in range(4, 14, 2)]
    return datetime(int(text[:4]), *parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]  # five numbers
