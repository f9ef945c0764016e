"""A certificate and a key that are no pair are warned of, in the words of Go's crypto/tls."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from apiserver.core.kinds import secrets
from apiserver.core.tls_pairs import pair_problem
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two certificates and their keys; and what is none."""
    folder: Path = tmp_path_factory.mktemp("pki")
    pki = Pki(folder)
    for name in ("a", "b"):
        pki.ensure(Certificate(name, name))
    found = {f"{name}.crt": pki.certificate(name).read_bytes() for name in ("a", "b")}
    found |= {f"{name}.key": pki.key(name).read_bytes() for name in ("a", "b")}
    odd = b"-----BEGIN ODD-----\nAAAA\n-----END ODD-----\n"
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    return {**found, "none": b"x", "odd": odd, "broken": broken, "endless": b"-----BEGIN X-----" * 50_000}


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("a.crt", "a.key", ""),
        ("a.crt", "b.key", "tls: private key does not match public key"),
        ("none", "a.key", "tls: failed to find any PEM data in certificate input"),
        ("endless", "a.key", "tls: failed to find any PEM data in certificate input"),
        ("a.key", "a.crt", "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"),
        ("odd", "a.key", 'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [ODD]'),
        ("a.crt", "none", "tls: failed to find any PEM data in key input"),
        ("a.crt", "a.crt", "tls: found a certificate rather than a key in the PEM for the private key"),
        ("a.crt", "odd", 'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [ODD]'),
        ("broken", "a.key", "x509: malformed certificate"),
    ],
)  # fmt: skip
def test_a_pair_is_one_or_says_why_not(
    pems: dict[str, bytes], certificate: str, key: str, problem: str
) -> None:
    """Whatever stands in the two."""
    assert pair_problem(pems[certificate], pems[key]) == problem


def test_secrets_of_that_type_are_warned_of(pems: dict[str, bytes]) -> None:
    """And no others."""
    data = {"tls.crt": b64encode(pems["a.crt"]).decode(), "tls.key": b64encode(pems["b.key"]).decode()}
    warned = secrets.RULES.warnings
    assert warned is not None
    said = "tls: private key does not match public key"
    assert warned({"type": "kubernetes.io/tls", "data": data}, None) == (said,)
    assert warned({"type": "Opaque", "data": data}, None) == ()
