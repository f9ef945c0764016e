"""A node joins with a bootstrap token, renews its certificate, and is refused with a wrong token: on a whole cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubarium import Cluster
from kubelet.core.certificates import read_validity
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = pytest.mark.cluster

NODE = "joined"


@pytest.fixture(scope="module")
def hollow() -> Iterator[Cluster]:
    """A cluster without containers, whose only node has joined it."""
    need("etcd", "kubectl")
    with clusters() as start:
        cluster = start("certs", nodes=0, runtime="hollow")
        cluster.add_node(NODE, bootstrap=True)
        cluster.wait_ready(nodes=[NODE])
        yield cluster


def requests(kubectl: Kubectl) -> list[list[str]]:
    """Return the lines of `kubectl get csr` in words: name, age, signer, who, how long, condition."""
    return [line.split() for line in kubectl("get", "csr", "--no-headers").splitlines()]


def pki(cluster: Cluster) -> Path:
    return cluster.layout.node(NODE) / "kubelet" / "pki"


def test_a_joined_node_renews_its_certificate_and_goes_on(hollow: Cluster) -> None:
    """Both requests are Approved,Issued; the node's own asks for the second."""
    kubectl = Kubectl(hollow.kubeconfig)
    [(_, _, signer, who, _, condition)] = requests(kubectl)
    assert (signer, condition) == ("kubernetes.io/kube-apiserver-client-kubelet", "Approved,Issued")
    assert who.startswith("system:bootstrap:")
    current = pki(hollow) / "kubelet-client-current.pem"
    hollow.stop(f"kubelet@{NODE}")
    current.resolve().write_bytes(nearly_over(hollow))
    ends_s = read_validity(current.read_bytes()).ends_s
    hollow.restart(f"kubelet@{NODE}")
    eventually(lambda: read_validity(current.read_bytes()).ends_s > ends_s)
    renewed = [(who, condition) for _, _, _, who, _, condition in requests(kubectl)]
    assert (f"system:node:{NODE}", "Approved,Issued") in renewed
    hollow.wait_ready(nodes=[NODE])
    kubectl("run", "pause", "--image=registry.k8s.io/pause:3.10")
    kubectl("wait", "--for=condition=Ready", "pod/pause", "--timeout=180s")


def test_a_node_with_a_wrong_token_is_refused(hollow: Cluster) -> None:
    """Its log says by whom and why; with the right one it comes in."""
    file = hollow.layout.bootstrap_kubeconfig
    right = file.read_text()
    file.write_text(right.replace("token: ", "token: zzzzzz.zzzzzzzzzzzzzzzz #"))
    hollow.stop(f"kubelet@{NODE}")
    for each in pki(hollow).glob("kubelet-client-*"):
        each.unlink()
    hollow.restart(f"kubelet@{NODE}")
    log = hollow.layout.log(f"kubelet@{NODE}")
    eventually(lambda: "certificate_not_renewed" in log.read_text() and "Unauthorized" in log.read_text())
    file.write_text(right)
    eventually((pki(hollow) / "kubelet-client-current.pem").exists)
    hollow.wait_ready(nodes=[NODE])


def nearly_over(cluster: Cluster) -> bytes:
    """Return a certificate of the node of which nine tenths are over, with its key."""
    folder = cluster.layout.pki
    signer = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    signer_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer_key, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{NODE}")]
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(*each) for each in names]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=9))
        .not_valid_after(now + timedelta(minutes=50))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM) + private
