"""What a kubelet asks for, when it asks again, and what came of it."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from controllers.core.certificate_requests import kubelet_client_fault, kubelet_serving_fault, read_requested
from kubarium.core.certificates import Certificate
from kubarium.identity.signing import new_authority, new_certificate
from kubelet.certificates.keys import asked_with, new_key
from kubelet.core.certificates import (
    Issued,
    Refused,
    Validity,
    client_wish,
    due_s,
    outcome,
    read_validity,
    serving_wish,
    signing_request,
)
from machinery.model.k8s.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestStatus,
)


@pytest.mark.parametrize(("drawn", "at_s"), [(0.0, 1_700.0), (0.5, 1_800.0), (0.999_999, 1_899.999_8)])
def test_a_certificate_is_renewed_between_70_and_90_percent_of_its_life(drawn: float, at_s: float) -> None:
    """Wherever it begins."""
    assert due_s(Validity(1_000, 2_000), drawn) == pytest.approx(at_s)


@pytest.mark.parametrize(
    ("conditions", "certificate", "came"),
    [
        ((), "", None),
        (("Approved",), "", None),
        (("Approved",), "PEM", Issued(b"PEM")),
        (("Denied",), "", Refused("it was denied: R: M")),
        (("Approved", "Failed"), "", Refused("it was not signed: R: M")),
        ((), "PEM", None),
    ],
)
def test_what_comes_of_a_request(
    conditions: tuple[str, ...], certificate: str, came: Issued | Refused | None
) -> None:
    """A certificate counts once it is approved."""
    name, pem = "csr", b"REQUEST"
    asked = signing_request(name, pem, client_wish("node-1"))
    status = CertificateSigningRequestStatus(
        certificate=b64encode(certificate.encode()).decode(),
        conditions=[
            CertificateSigningRequestCondition(type=type_, status="True", reason="R", message="M")
            for type_ in conditions
        ],
    )
    assert outcome(CertificateSigningRequest(metadata=asked.metadata, spec=asked.spec, status=status)) == came


def test_what_is_asked_for_is_what_the_signers_sign() -> None:
    """By the rules of the controllers; a key's request has one name, each kind its own."""
    key = new_key()
    names = set()
    for wish, fault in (
        (client_wish("node-1"), kubelet_client_fault),
        (serving_wish("node-1", ("10.0.0.7", "fd00::7")), kubelet_serving_fault),
    ):
        name, pem = asked_with(key, wish)
        assert asked_with(key, wish)[0] == name
        asked = read_requested(signing_request(name, pem, wish).spec.request)
        assert asked is not None
        assert (asked.common_name, asked.organizations) == ("system:node:node-1", ("system:nodes",))
        assert fault(asked, wish.usages) == ""
        names.add(name)
    assert len(names) == 2
    with pytest.raises(ValueError, match=r".+"):
        asked_with(b"nonsense", client_wish("node-1"))


@pytest.fixture(scope="module")
def certificate() -> bytes:
    return new_certificate(Certificate("a", "a", hosts=("a", "127.0.0.1")), new_authority("ca"))[1]


def test_the_life_of_a_certificate_is_read_from_its_pem(certificate: bytes) -> None:
    """Ten years and five minutes, as kubarium makes them; text before and after does not matter."""
    found = read_validity(b"text\n" + certificate + b"-----BEGIN EC PRIVATE KEY-----\n")
    assert found.ends_s - found.begins_s == 3650 * 24 * 3600 + 300
    assert datetime.fromtimestamp(found.begins_s, UTC).year < 2050


def test_what_is_no_certificate_is_a_value_error(certificate: bytes) -> None:
    """Whatever is cut off or changed, and nothing else is raised."""
    for cut in range(0, len(certificate), 5):
        with pytest.raises(ValueError, match="certificate"):
            read_validity(certificate[:cut])
        with suppress(ValueError):  # elsewhere than in what is read a change does not matter
            read_validity(certificate[:cut] + b"\xffA" + certificate[cut + 2 :])
