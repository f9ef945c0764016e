"""The cluster's certificates, as others see them."""

from __future__ import annotations

import json
import stat

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.process.token_key import TokenKey


def load(pki: Pki, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki.certificate(name).read_bytes())


def test_a_certificate_carries_the_identity_that_kubernetes_reads(tmp_path):
    """The common name is the user, the organizations are the groups."""
    pki = Pki(tmp_path)
    pki.ensure(Certificate("kubelet", "system:node:node-1", ("system:nodes",), ("node-1", "10.77.0.11")))
    subject = load(pki, "kubelet").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:node-1"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_a_certificate_is_signed_by_its_authority(tmp_path):
    """A certificate for etcd is signed by etcd's authority, and not by the cluster's."""
    pki = Pki(tmp_path)
    pki.ensure(Certificate("etcd", "etcd", hosts=("127.0.0.1",), authority="etcd-ca"))
    pki.ensure_authority()
    load(pki, "etcd").verify_directly_issued_by(load(pki, "etcd-ca"))
    assert load(pki, "etcd").issuer != load(pki, "ca").subject


def test_a_pure_client_cannot_serve(tmp_path):
    """A certificate without hosts is good for clients only."""
    pki = Pki(tmp_path)
    pki.ensure(Certificate("scheduler", "system:kube-scheduler"))
    usage = load(pki, "scheduler").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_what_exists_is_kept(tmp_path):
    """A second start uses the same certificates."""
    pki = Pki(tmp_path)
    wanted = Certificate("scheduler", "system:kube-scheduler")
    pki.ensure(wanted)
    before = pki.certificate("scheduler").read_bytes()
    pki.ensure(wanted)
    assert pki.certificate("scheduler").read_bytes() == before


def test_private_keys_are_private(tmp_path):
    """Keys are readable by their owner only."""
    pki = Pki(tmp_path)
    pki.ensure_signing_key()
    pki.ensure_authority()
    assert {stat.S_IMODE(pki.key(name).stat().st_mode) for name in ("sa", "ca")} == {0o600}


def test_tokens_are_signed_as_every_openid_client_expects(tmp_path):
    """OpenID Connect demands RS256 of an issuer; clients that nobody tells of other algorithms take no other."""
    pki = Pki(tmp_path)
    pki.ensure_signing_key()
    discovery = json.loads(TokenKey.load(str(pki.key("sa"))).discovery())
    assert discovery["id_token_signing_alg_values_supported"] == ["RS256"]
