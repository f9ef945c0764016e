"""The cluster's own certificate authorities, and every certificate that they sign.

Three authorities, as in any real cluster: one for Kubernetes' own conversations, one for etcd, so that no
component's certificate opens the door to etcd except the apiserver's (law 1 of ARCHITECTURE.md), and one for the
certificate under which the apiserver passes requests on to extension servers, so that nobody else can say who asks. Keys are P-256;
files are written with mode 0600 (keys) and 0644 (certificates), and an existing pair is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kubarium.core.certificates import Certificate
from kubarium.core.components import Component


class Pki:
    """The folder of keys and certificates of one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def certificate(self, name: str) -> Path:
        """Name the file of a certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Name the file of a private key."""
        return self.folder / f"{name}.key"

    def ensure_authority(self, name: str = "ca") -> None:
        """Make an authority, unless it is there."""
        if self.certificate(name).exists():
            return
        from kubarium.identity.signing import new_authority

        self._write(name, *new_authority(f"kubarium-{name}"))

    def ensure(self, wanted: Certificate) -> None:
        """Make a certificate for clients and, where it names hosts, servers, unless it is there."""
        if self.certificate(wanted.name).exists() and self.key(wanted.name).exists():
            return
        from kubarium.identity.signing import new_certificate

        self.ensure_authority(wanted.authority)
        key, certificate = self.key(wanted.authority), self.certificate(wanted.authority)
        self._write(wanted.name, *new_certificate(wanted, (key.read_bytes(), certificate.read_bytes())))

    def ensure_signing_key(self, name: str = "sa") -> None:
        """Make the key pair that signs ServiceAccount tokens, unless it is there."""
        if self.key(name).exists():
            return
        from kubarium.identity.signing import new_token_key

        _write_private(self.key(name), new_token_key())

    def write_private(self, path: Path, data: bytes) -> None:
        """Write a file that only its owner may read.

        Raises:
            OSError: it cannot be written.
        """
        _write_private(path, data)

    def _write(self, name: str, key: bytes, certificate: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_private(self.key(name), key)
        self.certificate(name).write_bytes(certificate)


def ensure_certificates(components: Iterable[Component], pki: Pki) -> None:
    """Make what certificates the components lack."""
    for component in components:
        for certificate in component.certificates:
            pki.ensure(certificate)


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
