"""Issuers of tokens whom the apiserver believes: their keys are fetched when the first token comes, and kept.

A token that names a key which is not known has the keys fetched again, not more often than every ten seconds.
OpenID Connect Discovery 1.0; RFC 7517 (keys), RFC 7518 (algorithms).
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from apiserver.core.authn_issuers import identified
from apiserver.core.authz.attributes import AUTHENTICATED
from apiserver.core.configured.authentication import Issuer
from apiserver.core.configured.kubeconfig import Material, Remote
from apiserver.remotes import RemoteServer
from apiserver.request import UserInfo
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.tokens import BadToken
from machinery.process.token_key import read_part

_FETCH_S: Final = 10.0  # wall seconds that an issuer has for an answer, and between two fetches
_REMEMBERED: Final = 1_000  # tokens
_CURVES: Final = {"ES256": ("secp256r1", 32), "ES384": ("secp384r1", 48), "ES512": ("secp521r1", 66)}


class TrustedIssuer:
    """One issuer, and its keys."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        """Read its authority.

        Raises:
            OSError: (ssl.SSLError) that is no certificate.
        """
        self.issuer = issuer
        self._clock = clock
        self._server = RemoteServer(Remote(url=issuer.url, authority=Material(pem=issuer.authority)))
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._verified: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def user_of(self, token: str) -> UserInfo:
        """Return whose token this is.

        Raises:
            BadToken: it proves nothing.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verified[token] = await self._verify(token)
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        found = identified(self.issuer, claims, self._clock.wall_ns() / 1e9)
        groups = found.groups if AUTHENTICATED in found.groups else (*found.groups, AUTHENTICATED)
        return UserInfo(found.name, found.uid, groups, found.extra)

    def forget_fetch(self) -> None:
        """Allow the keys to be fetched at once where one is not known."""
        self._fetched_at = float("-inf")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _verify(self, token: str) -> dict[str, Any]:
        head, body, signature = token.split(".")
        header = read_part(head)
        key = await self._key(str(header.get("kid", "")))
        algorithm = str(header.get("alg"))
        if key.get("alg", algorithm) != algorithm:
            raise BadToken("the token's algorithm is not its key's")
        padded = signature + "=" * (-len(signature) % 4)
        try:
            is_right = _is_right(key, algorithm, urlsafe_b64decode(padded), f"{head}.{body}".encode())
        except (ValueError, KeyError, TypeError) as error:
            raise BadToken(f"the key of the token cannot be used: {error}") from error
        if not is_right:
            raise BadToken("the signature of the token is wrong")
        return read_part(body)

    async def _key(self, kid: str) -> dict[str, Any]:
        if kid not in self._keys:
            async with self._fetching:
                if kid not in self._keys and self._clock.monotonic_wall() - self._fetched_at >= _FETCH_S:
                    self._fetched_at = self._clock.monotonic_wall()
                    self._keys = await self._fetch()
        if kid not in self._keys:
            raise BadToken(f"{self.issuer.url} has no key {kid!r}")
        return self._keys[kid]

    async def _fetch(self) -> dict[str, dict[str, Any]]:
        try:
            document = msgspec.json.decode(await self._server.get(self.issuer.discovery_url, _FETCH_S))
            if document["issuer"] != self.issuer.url:
                raise BadToken(f"{self.issuer.discovery_url} is of another issuer: {document['issuer']}")
            keys = msgspec.json.decode(await self._server.get(str(document["jwks_uri"]), _FETCH_S))["keys"]
            return {str(key.get("kid", "")): key for key in keys if key.get("use", "sig") == "sig"}
        except (ApiError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise BadToken(f"the keys of {self.issuer.url} cannot be fetched: {error}") from error


def _is_right(key: Mapping[str, Any], algorithm: str, signature: bytes, data: bytes) -> bool:
    """Whether a key (RFC 7517) has signed data. An algorithm that is none for the sort of key is a ValueError."""
    from cryptography.exceptions import InvalidSignature

    try:
        if key["kty"] == "RSA" and algorithm[:2] in {"RS", "PS"}:
            _check_rsa(key, algorithm, signature, data)
        elif key["kty"] == "EC" and algorithm in _CURVES:
            _check_ec(key, algorithm, signature, data)
        else:
            raise ValueError(f"{algorithm} is no algorithm of an {key['kty']} key")
    except InvalidSignature:
        return False
    return True


def _check_rsa(key: Mapping[str, Any], algorithm: str, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    hashed = _hash(algorithm)
    if algorithm.startswith("PS"):
        pss = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
        public.verify(signature, data, pss, hashed)
    else:
        public.verify(signature, data, padding.PKCS1v15(), hashed)


def _check_ec(key: Mapping[str, Any], algorithm: str, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    name, size = _CURVES[algorithm]
    curves: dict[str, Any] = {"secp256r1": ec.SECP256R1, "secp384r1": ec.SECP384R1, "secp521r1": ec.SECP521R1}
    curve = curves[name]()
    if len(signature) != 2 * size:
        raise ValueError("the signature has another length")
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    public.verify(encode_dss_signature(r, s), data, ec.ECDSA(_hash(algorithm)))


def _hash(algorithm: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    known: dict[str, Any] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
    return known[algorithm[2:]]()


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
