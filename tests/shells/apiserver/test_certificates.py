"""A request for a certificate from its beginning to its end: a node's with a bootstrap token, a person's with an approval."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controllers.app import build
from controllers.certificate_approving import build as approving
from controllers.certificate_cleaning import build as cleaning
from controllers.certificate_signing import build as signing
from controllers.core.controller import Settings
from controllers.signing import Authority
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.model.log import SILENT
from machinery.model.profile import intervals
from machinery.process.clock import WALL
from tests.support.apiserver import Served, serving
from tests.support.waiting import until

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
TOKEN = "abcdef.0123456789abcdef"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
CLIENT = "kubernetes.io/kube-apiserver-client"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@asynccontextmanager
async def cluster(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver, and the controllers of certificates."""
    pki.ensure(Certificate("controllers", "system:kube-controller-manager"))
    authority = Authority(str(pki.certificate("ca")), str(pki.key("ca")))
    settings = Settings(intervals("fast"), (), sign_certificate=authority.sign)
    async with serving(pki) as served:
        api = served.connect("grpc", "controllers")
        controllers = build(
            api, WALL, SILENT, settings, identity="test", table=(approving, signing, cleaning)
        )
        running = asyncio.ensure_future(controllers.run())
        try:
            yield served
        finally:
            running.cancel()
            await asyncio.wait([running])
            await api.aclose()


class Person:
    """A key, and who asks with it."""

    def __init__(self, common_name: str, *organizations: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
        self._subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    def request(self, name: str, signer: str, *usages: str) -> dict[str, Any]:
        """Write a CertificateSigningRequest."""
        built = x509.CertificateSigningRequestBuilder().subject_name(self._subject)
        pem = built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        spec = {
            "request": b64encode(pem).decode(),
            "signerName": signer,
            "usages": list(usages),
            "expirationSeconds": 3600,
        }
        return {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}, "spec": spec}  # fmt: skip

    def context(self, pki: Pki, folder: Path, certificate: bytes) -> ssl.SSLContext:
        """Return what shows a certificate."""
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "own.pem").write_bytes(certificate + private)
        context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        context.load_cert_chain(folder / "own.pem")
        return context


def session(served: Served, context: ssl.SSLContext, **headers: str) -> aiohttp.ClientSession:
    url = f"https://{served.config.rest_listen[0]}"
    return aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context), headers=headers)


async def call(asked: Any) -> tuple[int, Any]:
    async with asked as answer:
        return answer.status, await answer.json()


async def test_a_new_node_gets_its_certificate_for_a_token(pki: Pki, tmp_path: Path) -> None:
    """It is approved and signed by itself, and renewed with the certificate that it has."""
    node = Person("system:node:node-9", "system:nodes")
    async with cluster(pki) as served:
        admin_context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        admin_context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        data = {"token-id": TOKEN[:6], "token-secret": TOKEN[7:], "usage-bootstrap-authentication": "true"}
        secret = {"metadata": {"name": f"bootstrap-token-{TOKEN[:6]}"}, "type": "bootstrap.kubernetes.io/token", "stringData": data}  # fmt: skip
        async with session(served, admin_context) as admin:
            assert (await call(admin.post("/api/v1/namespaces/kube-system/secrets", json=secret)))[0] == 201
        plain = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        async with session(served, plain, Authorization=f"Bearer {TOKEN}") as new:
            asked = node.request("node-9", KUBELET_CLIENT, "digital signature", "client auth")
            status, made = await call(new.post(CSRS, json=asked))
            assert (status, made["spec"]["username"]) == (201, "system:bootstrap:abcdef")
            assert "system:bootstrappers" in made["spec"]["groups"]
            certificate = await issued(new, "node-9")
        async with session(served, node.context(pki, tmp_path, certificate)) as kubelet:
            _, review = await call(kubelet.post(WHO, json={}))
            assert review["status"]["userInfo"]["username"] == "system:node:node-9"
            assert (await call(kubelet.post(CSRS, json={**asked, "metadata": {"name": "again"}})))[0] == 201
            renewed = x509.load_pem_x509_certificate(await issued(kubelet, "again"))
            lasts = renewed.not_valid_after_utc - renewed.not_valid_before_utc
            assert lasts.total_seconds() == 3600 + 300


async def issued(who: aiohttp.ClientSession, name: str) -> bytes:
    """Return a certificate when it is there."""

    async def certificate() -> str:
        _, found = await call(who.get(f"{CSRS}/{name}"))
        return str((found.get("status") or {}).get("certificate", ""))

    return b64decode(await until(certificate))


async def test_a_person_waits_for_an_approval(pki: Pki, tmp_path: Path) -> None:
    """What is denied, or asked of the wrong signer, gets no certificate."""
    jane = Person("jane", "devs")
    usages = ("digital signature", "client auth")
    async with cluster(pki) as served:
        context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        async with session(served, context) as admin:
            for name, signer, asked in (
                ("good", CLIENT, usages),
                ("bad", CLIENT, usages),
                ("wrong", CLIENT, ("server auth",)),
            ):
                assert (await call(admin.post(CSRS, json=jane.request(name, signer, *asked))))[0] == 201
            masters = Person("jane", "system:masters").request("masters", CLIENT, *usages)
            assert (await call(admin.post(CSRS, json=masters)))[0] == 403
            for name, type_ in (("good", "Approved"), ("bad", "Denied"), ("wrong", "Approved")):
                _, found = await call(admin.get(f"{CSRS}/{name}"))
                assert "status" not in found or found["status"] == {}
                found["status"] = {"conditions": [{"type": type_, "status": "True", "reason": "Mine"}]}
                status, decided = await call(admin.put(f"{CSRS}/{name}/approval", json=found))
                assert (status, decided["status"]["conditions"][0]["type"]) == (200, type_)
            certificate = await issued(admin, "good")

            async def failed() -> bool:
                _, found = await call(admin.get(f"{CSRS}/wrong"))
                return any(each["type"] == "Failed" for each in found["status"]["conditions"])

            await until(failed)
            _, bad = await call(admin.get(f"{CSRS}/bad"))
            assert "certificate" not in bad["status"]
        async with session(served, jane.context(pki, tmp_path, certificate)) as own:
            _, review = await call(own.post(WHO, json={}))
        user = review["status"]["userInfo"]
        assert (user["username"], user["groups"]) == ("jane", ["devs", "system:authenticated"])


@pytest.mark.parametrize("usages", [("nonsense",), ("digital signature", "sign anything")])
def test_an_unknown_usage_is_not_signed(pki: Pki, usages: tuple[str, ...]) -> None:
    """Nor a request whose signature is not its own."""
    authority = Authority(str(pki.certificate("ca")), str(pki.key("ca")))
    request = Person("a").request("a", CLIENT)["spec"]["request"]
    with pytest.raises(ValueError, match="unrecognized usages"):
        authority.sign(request, usages, 0, 600)
    with pytest.raises(ValueError, match=r".+"):
        authority.sign("bm9uc2Vuc2U=", (), 0, 600)
