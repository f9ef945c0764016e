"""Tokens of an issuer on loopback are believed; where nobody may ask is said by path."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apiserver.core.authn import BadToken
from apiserver.issuers import TrustedIssuer
from kubarium.identity.pki import Pki
from machinery.process.token_key import TokenKey
from tests.support.apiserver import serving
from tests.support.web_server import WebServer, web_server


def new_key(kind: str) -> TokenKey:
    private: Any = (
        rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())
    )
    return TokenKey.parse(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def serve(server: WebServer, *keys: TokenKey) -> None:
    """Have the server publish some keys."""
    jwks = {"keys": [key for each in keys for key in msgspec.json.decode(each.jwks())["keys"]]}
    document = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
    server.answer = lambda path, _: jwks if path == "/keys" else document


def configuration(folder: Path, server: WebServer, pki: Pki, **fields: Any) -> str:
    issuer = {
        "url": server.url,
        "audiences": ["kubarium"],
        "certificateAuthority": pki.certificate("ca").read_text(),
    }
    jwt = {"issuer": issuer, "claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}}}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [jwt],
        **fields,
    }
    path = folder / "authentication.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def claims(server: WebServer, **changes: Any) -> dict[str, Any]:
    return {"iss": server.url, "aud": "kubarium", "sub": "jane", "exp": time.time() + 600, **changes}


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_an_issuers_token_says_who_asks(pki: Pki, tmp_path: Path, kind: str) -> None:
    """Signed with one of its keys, which are fetched once; everybody else's prove nothing."""
    async with web_server(pki) as server:
        ours, others = new_key(kind), new_key(kind)
        serve(server, ours)
        async with serving(pki, authentication_config=configuration(tmp_path, server, pki)) as served:
            authenticator = served.core.authenticator
            for _ in range(2):
                user = await authenticator.of_bearer(ours.sign(claims(server)))
                assert (user.name, user.groups) == ("oidc:jane", ("system:authenticated",))
            assert len(server.asked) == 2
            for token in (others.sign(claims(server)), ours.sign(claims(server, aud="other"))):
                with pytest.raises(BadToken):
                    await authenticator.review(token, ("https://kubernetes.default.svc.cluster.local",))
            account = served.core.token_key.sign({"iss": "nobody"})
            with pytest.raises(BadToken):
                await authenticator.review(account, ("https://kubernetes.default.svc.cluster.local",))


async def test_a_new_key_is_found_and_a_wrong_document_is_not_believed(pki: Pki, tmp_path: Path) -> None:
    """A key that is not known has the keys fetched again."""
    async with web_server(pki) as server:
        old, new = new_key("EC"), new_key("EC")
        serve(server, old)
        async with serving(pki, authentication_config=configuration(tmp_path, server, pki)) as served:
            [issuer] = served.core.authenticator.issuers.values()
            assert isinstance(issuer, TrustedIssuer)
            await issuer.user_of(old.sign(claims(server)))
            serve(server, old, new)
            with pytest.raises(BadToken, match="has no key"):
                await issuer.user_of(new.sign(claims(server)))
            issuer.forget_fetch()
            assert (await issuer.user_of(new.sign(claims(server)))).name == "oidc:jane"
            server.answer = lambda _path, _: {"issuer": "https://other"}
            issuer.forget_fetch()
            with pytest.raises(BadToken, match="is of another issuer"):
                await issuer.user_of(new_key("EC").sign(claims(server)))


async def test_nobody_may_ask_where_the_configuration_says_so(pki: Pki, tmp_path: Path) -> None:
    """And nowhere else."""
    async with web_server(pki) as server:
        conditions = {"enabled": True, "conditions": [{"path": "/livez"}]}
        path = configuration(tmp_path, server, pki, anonymous=conditions)
        async with serving(pki, authentication_config=path) as served:
            context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
            url = f"https://{served.config.rest_listen[0]}"
            async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context)) as nobody:
                for asked, status in (
                    ("/livez", 200),
                    ("/livez?verbose", 200),
                    ("/readyz", 401),
                    ("/api", 401),
                ):
                    async with nobody.get(asked) as answer:
                        assert (asked, answer.status) == (asked, status)
