"""Whether a certificate and a key belong together, in the words of Go's crypto/tls: what Secrets of this type are warned of.

https://pkg.go.dev/crypto/tls#X509KeyPair
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_BEGIN, _DASHES = b"-----BEGIN ", b"-----"
_MOST: Final = 100  # blocks that are looked at
_NO_KEY: Final = "tls: failed to parse private key"


def pair_problem(certificate: bytes, key: bytes) -> str:
    """Return why PEM texts are no pair; "" where they are one."""
    leaf, kinds = _found(certificate, lambda kind: kind == "CERTIFICATE")
    if leaf is None:
        return _no_certificate(kinds)
    own, kinds = _found(key, lambda kind: kind == "PRIVATE KEY" or kind.endswith(" PRIVATE KEY"))
    if own is None:
        return _no_key(kinds)
    return _mismatch(leaf, own)


def _found(text: bytes, wanted: Any) -> tuple[bytes | None, list[str]]:
    """Return the first block of a wanted type, and the types of those that come before it."""
    skipped: list[str] = []
    for kind, block in _blocks(text):
        if wanted(kind):
            return block, skipped
        skipped.append(kind)
    return None, skipped


def _blocks(text: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    for _ in range(_MOST):
        begin = text.find(_BEGIN, at)
        named = text.find(_DASHES, begin + len(_BEGIN))
        if begin < 0 or named < 0:
            return
        kind = text[begin + len(_BEGIN) : named]
        ending = b"-----END " + kind + _DASHES
        end = text.find(ending, named)
        at = begin + len(_BEGIN) if end < 0 else end + len(ending)
        if end >= 0:
            yield kind.decode(errors="replace"), text[begin:at]


def _no_certificate(skipped: list[str]) -> str:
    if not skipped:
        return "tls: failed to find any PEM data in certificate input"
    if len(skipped) == 1 and skipped[0].endswith("PRIVATE KEY"):
        return (
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
            "PEM inputs may have been switched"
        )
    types = f"[{' '.join(skipped)}]"
    return f'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: {types}'


def _no_key(skipped: list[str]) -> str:
    if not skipped:
        return "tls: failed to find any PEM data in key input"
    if skipped == ["CERTIFICATE"]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    types = f"[{' '.join(skipped)}]"
    return f'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: {types}'


def _mismatch(leaf: bytes, own: bytes) -> str:
    from cryptography import x509  # seldom needed
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        public = x509.load_pem_x509_certificate(leaf).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    try:
        private: Any = load_pem_private_key(own, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _NO_KEY
    found = private.public_key()
    if type(found) is not type(public):
        return "tls: private key type does not match public key type"
    return "" if found == public else "tls: private key does not match public key"
