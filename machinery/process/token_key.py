"""ServiceAccount tokens: signing them, verifying them, handing them out.

A token is a JWT (RFC 7519) signed with the cluster's key: ES256 for an elliptic-curve key, RS256 for an RSA one
(RFC 7518). No other algorithm is accepted, `none` least of all.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from machinery.model.tokens import ISSUER, BadToken

_LONGEST: Final = 16_384  # bytes of a token
_BASE64URL: Final = re.compile("[A-Za-z0-9_-]*")
_DISCOVERY_PATH: Final = "/openid/v1/jwks"


class _Key(Protocol):
    algorithm: str

    def sign(self, data: bytes) -> bytes: ...

    def verify(self, signature: bytes, data: bytes) -> bool: ...

    def jwk(self) -> dict[str, str]: ...

    def public_der(self) -> bytes: ...


class TokenKey:
    """The key that signs the cluster's tokens."""

    def __init__(self, key: _Key) -> None:
        self._key = key
        self._kid = _base64(sha256(key.public_der()).digest())
        self._header = _base64(
            msgspec.json.encode({"alg": key.algorithm, "kid": self._kid, "typ": "JWT"}).strip(),
        )

    @classmethod
    def load(cls, path: str) -> TokenKey:
        """Read a file with a private key.

        Raises:
            ValueError: the file holds none that `parse` takes.
            OSError: it cannot be read.
        """
        try:
            return cls.parse(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def parse(cls, pem: bytes) -> TokenKey:
        """Read a PEM private key, elliptic-curve (P-256) or RSA.

        Raises:
            ValueError: it is no such key.
        """
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(pem, password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return cls(_EcKey(key))
        if isinstance(key, rsa.RSAPrivateKey):
            return cls(_RsaKey(key))
        raise ValueError("this is neither a P-256 nor an RSA key")

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the token of claims."""
        signed = f"{self._header}.{_base64(msgspec.json.encode(claims))}"
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this key has signed.

        Raises:
            BadToken: it has not, or this is no token.
        """
        parts = token.split(".")
        if len(parts) != 3 or len(token) > _LONGEST or not token.isascii():
            raise BadToken("this is no JSON Web Token")
        header = read_part(parts[0])
        if header.get("alg") != self._key.algorithm or header.get("kid", self._kid) != self._kid:
            raise BadToken("the token is not signed with this cluster's key")
        if not self._key.verify(_bytes(parts[2]), f"{parts[0]}.{parts[1]}".encode()):
            raise BadToken("the signature of the token is wrong")
        return read_part(parts[1])

    def jwks(self) -> bytes:
        """Return the public key as a JSON Web Key Set (RFC 7517)."""
        entry = {"use": "sig", "kid": self._kid, "alg": self._key.algorithm, **self._key.jwk()}
        return msgspec.json.encode({"keys": [entry]})

    def discovery(self) -> bytes:
        """Return the OpenID Connect discovery document of the issuer."""
        document = {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}{_DISCOVERY_PATH}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._key.algorithm],
        }
        return msgspec.json.encode(document)


class _EcKey:
    """A P-256 key; JWS writes its signatures as two numbers of 32 bytes."""

    algorithm = "ES256"

    def __init__(self, key: Any) -> None:
        self._key = key
        self._public = key.public_key()

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        r, s = decode_dss_signature(self._key.sign(data, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def verify(self, signature: bytes, data: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._public.verify(encode_dss_signature(r, s), data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        numbers = self._public.public_numbers()
        x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def public_der(self) -> bytes:
        return _public_der(self._public)


class _RsaKey:
    """An RSA key."""

    algorithm = "RS256"

    def __init__(self, key: Any) -> None:
        self._key = key
        self._public = key.public_key()

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return bytes(self._key.sign(data, PKCS1v15(), SHA256()))

    def verify(self, signature: bytes, data: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._public.verify(signature, data, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        numbers = self._public.public_numbers()
        n, e = (
            _base64(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for number in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "n": n, "e": e}

    def public_der(self) -> bytes:
        return _public_der(self._public)


def _public_der(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Read base64url without padding (RFC 7515, 2); the decoder itself would pass over what is none."""
    if not _BASE64URL.fullmatch(text):
        raise BadToken("this is no JSON Web Token")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise BadToken("this is no JSON Web Token") from error


def read_part(text: str) -> dict[str, Any]:
    """Read the head or the claims of a token, which is JSON in base64url.

    Raises:
        BadToken: it is none.
    """
    try:
        found = msgspec.json.decode(_bytes(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadToken("this is no JSON Web Token") from error
    if not isinstance(found, dict):
        raise BadToken("this is no JSON Web Token")
    return found
