"""Tokens: what they claim, who signed them, and which are refused."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apiserver.core.authn import ISSUER, BadToken, Ref, TokenSubject, claims_of, subject_of
from machinery.process.token_key import TokenKey

SUBJECT = TokenSubject("x", Ref("robot", "u1"), Ref("web", "u2"), Ref("node-1", "u3"), token_id="id")
NOW = 1_000_000


def claims(**changes: Any) -> dict[str, Any]:
    return {**claims_of(SUBJECT, (ISSUER,), NOW, 600), **changes}


def key(private: Any = None) -> TokenKey:
    private = private or ec.generate_private_key(ec.SECP256R1())
    return TokenKey.parse(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def part(value: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def test_claims_are_read_as_they_were_written():
    """A new token is for whom it was made."""
    assert subject_of(claims(), (ISSUER,), NOW) == SUBJECT
    assert SUBJECT.user_name == "system:serviceaccount:x:robot"
    assert SUBJECT.extra["authentication.kubernetes.io/pod-name"] == ("web",)


@pytest.mark.parametrize(
    ("changes", "at_s"),
    [
        ({}, NOW + 600),
        ({"exp": None}, NOW),
        ({"exp": True}, NOW),
        ({"nbf": NOW + 60}, NOW),
        ({"iss": "somebody"}, NOW),
        ({"aud": ["vault"]}, NOW),
        ({"aud": None}, NOW),
        ({"sub": "system:serviceaccount:x:admin"}, NOW),
        ({"kubernetes.io": {"namespace": "x"}}, NOW),
        ({"kubernetes.io": "x"}, NOW),
        (
            {"kubernetes.io": {"namespace": "x", "serviceaccount": {"name": "robot", "uid": "u1"}, "pod": 3}},
            NOW,
        ),
    ],
)
def test_claims_that_prove_nothing_are_refused(changes: dict[str, Any], at_s: int):
    """Expired, early, for others, from others, or without sense."""
    with pytest.raises(BadToken):
        subject_of(claims(**changes), (ISSUER,), at_s)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_token_is_signed_and_verified(algorithm: str):
    """Both sorts of keys work, and the key set tells which it is."""
    private = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else None
    signer = key(private)
    assert signer.verify(signer.sign(claims())) == claims()
    assert msgspec.json.decode(signer.jwks())["keys"][0]["alg"] == algorithm


def test_a_token_of_another_key_is_refused():
    """Only this cluster's key counts."""
    other = key()
    with pytest.raises(BadToken):
        key().verify(other.sign(claims()))


def test_a_changed_token_is_refused():
    """Neither the claims nor the signature can be exchanged."""
    signer = key()
    head, _, signature = signer.sign(claims()).split(".")
    forged = part(claims(sub="system:serviceaccount:x:admin"))
    for token in (f"{head}.{forged}.{signature}", f"{head}.{part(claims())}.{'A' * 86}", f"{head}.{forged}."):
        with pytest.raises(BadToken):
            signer.verify(token)


@pytest.mark.parametrize("more", ["=", "==", "!", "\n", "%3D", " "])
def test_a_token_is_written_in_one_way(more: str):
    """Without padding, and without anything that a decoder would pass over: a token has no second form."""
    signer = key()
    parts = signer.sign(claims()).split(".")
    for place in range(3):
        changed = [part + more * (index == place) for index, part in enumerate(parts)]
        with pytest.raises(BadToken):
            signer.verify(".".join(changed))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", ""])
def test_no_other_algorithm_is_accepted(algorithm: str):
    """`alg: none` least of all."""
    signer = key()
    with pytest.raises(BadToken):
        signer.verify(f"{part({'alg': algorithm})}.{part(claims())}.")


@pytest.mark.parametrize("token", ["", "a.b.c", "a.b", "....", "ä.b.c", "x" * 20_000, "W10.W10.W10"])
def test_what_is_no_token_is_refused(token: str):
    """Any text may come in this header."""
    with pytest.raises(BadToken):
        key().verify(token)


def test_a_token_without_a_pod_is_bound_to_its_account_only():
    """What it is not bound to is not claimed."""
    plain = replace(SUBJECT, pod=None, node=None)
    written = claims_of(plain, (ISSUER,), NOW, 600)
    assert set(written["kubernetes.io"]) == {"namespace", "serviceaccount"}
    assert subject_of(written, (ISSUER,), NOW) == plain
