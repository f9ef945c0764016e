"""Every network listener speaks TLS and knows whom it speaks with; unix sockets are for their owner."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cryptography import x509

from kubarium import Cluster
from kubarium.core.certificates import Certificate
from kubarium.core.network import node_namespace
from kubarium.identity.pki import Pki
from tests.support.laws import client_of, pki
from tests.support.listeners import TcpListener, tcp_listeners, unix_listeners
from tests.support.netns import inside

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # with an empty SETTINGS frame
)


@dataclass(frozen=True)
class Door:
    """A listener of a component, and how to get to it."""

    component: str
    listener: TcpListener
    namespace: str  # "" for the machine's own

    def connect(self) -> socket.socket:
        """Open a connection from where the component runs."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listener.host, self.listener.host)

        def dial() -> socket.socket:
            return socket.create_connection((host, self.listener.port), timeout=5)

        return inside(self.namespace, dial) if self.namespace else dial()

    @property
    def authority(self) -> str:
        """Whose certificates it shows and wants."""
        return "etcd-ca" if self.component == "etcd" else "ca"

    def handshake(self, trust: Pki, shown: Path | None = None) -> ssl.SSLSocket:
        """Do the TLS handshake, trusting the authority that it should have, and show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(trust.certificate(self.authority))
        context.set_alpn_protocols(["http/1.1"] if self.component == "etcd" else ["h2", "http/1.1"])
        if shown:
            context.load_cert_chain(shown, shown.with_suffix(".key"))
        return context.wrap_socket(self.connect())

    def answer(self, trust: Pki, shown: Path | None = None) -> bytes:
        """Say what it says to the beginning of a conversation; nothing where it refuses."""
        try:
            with self.handshake(trust, shown) as secure:
                is_http2 = secure.selected_alpn_protocol() == "h2"
                secure.sendall(PREFACE if is_http2 else b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return secure.recv(64)
        except (ssl.SSLError, ConnectionError):
            return b""


def doors(cluster: Cluster) -> list[Door]:
    """Find every TCP socket that a process of the cluster listens on, except for DNS, which resolvers ask in the clear."""
    return [
        Door(component, listener, node_namespace(cluster.name, node) if node else "")
        for component, node, pid in processes(cluster)
        if component != "dns"
        for listener in tcp_listeners(pid)
    ]


def processes(cluster: Cluster) -> list[tuple[str, str, int]]:
    """List (component, node, pid) of the components, of what they have started, and of the supervisor."""
    found = []
    for row in cluster.ps():
        _, _, node = row.name.partition("@")
        family = [psutil.Process(row.pid), *psutil.Process(row.pid).children(recursive=True)]
        found += [(row.name, node, each.pid) for each in family]
    supervisor = psutil.Process(cluster.ps()[0].pid).ppid()
    return [*found, ("supervisor", "", supervisor)]


def test_the_cluster_listens_where_it_should(lawful: Cluster):
    """Two doors of etcd, the apiserver's on each of its addresses, and the kubelet's: what follows looks at all."""
    found = sorted(door.component for door in doors(lawful))
    assert found == ["apiserver"] * 4 + ["etcd"] * 2 + ["kubelet@node-1"]


def test_no_listener_speaks_http_in_the_clear(lawful: Cluster):
    """A plaintext request is hung up on; Go's servers say in the clear that they want TLS, and nothing more."""
    for door in doors(lawful):
        with door.connect() as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            plain.settimeout(5)
            said = b""
            with contextlib.suppress(ConnectionError):
                while chunk := plain.recv(4096):
                    said += chunk
        wants_tls = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
        allowed = {b"", wants_tls} if door.component == "etcd" else {b""}
        assert said in allowed or said[:1] == b"\x15", (door, said)  # 21: a TLS alert


def test_every_listener_shows_a_certificate_of_the_clusters_authority(lawful: Cluster):
    """Etcd one of etcd's own, so that no other component's certificate opens it."""
    for door in doors(lawful):
        with door.handshake(pki(lawful)) as secure:
            certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
        assert certificate.issuer.rfc4514_string() == f"CN=kubarium-{door.authority}", door
        assert secure.version() in {"TLSv1.2", "TLSv1.3", None}


def test_who_shows_no_good_certificate_is_not_spoken_to(lawful: Cluster, tmp_path: Path):
    """Neither without one nor with one of a foreign authority of the same name; the REST door leaves it to its tokens."""
    foreign = Pki(tmp_path / "foreign")
    for name in ("ca", "etcd-ca"):
        foreign.ensure(Certificate(f"of-{name}", "kubernetes-admin", ("system:masters",), authority=name))
    wrong_one = pki(lawful).certificate("scheduler")
    for door in doors(lawful):
        assert door.answer(pki(lawful), foreign.certificate(f"of-{door.authority}")) == b"", door
        if door.listener.port == lawful.addresses.rest_port:
            continue
        assert door.answer(pki(lawful)) == b"", door
        if door.component == "etcd":
            assert door.answer(pki(lawful), wrong_one) == b"", door
        assert door.answer(pki(lawful), client_of(lawful, door.component)), door  # the proof that it would


def test_unix_sockets_are_for_their_owner(lawful: Cluster):
    """Mode 0600 in folders of mode 0700, and none without a path."""
    sockets = {path for _, _, pid in processes(lawful) for path in unix_listeners(pid)}
    assert str(lawful.layout.control) in sockets
    assert str(lawful.layout.cri("node-1")) in sockets
    assert str(lawful.layout.health("scheduler")) in sockets
    for path in sockets:
        assert path.startswith(f"{lawful.layout.run}/"), path
        assert Path(path).stat().st_mode & 0o777 == 0o600, path
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700, path
