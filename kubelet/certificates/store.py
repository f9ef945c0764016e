"""A certificate of the kubelet, with its key, in its own folder, as Kubernetes lays it out.

pki/kubelet-client-2026-01-02-03-04-05-678901.pem    certificate and key; the one before is kept, too
pki/kubelet-client-current.pem                       a link to the one that is used
pki/kubelet-client-pending.key                       the key of a request that nothing has come of yet
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_KEPT: Final = 2


class CertificateStore:
    """The files of one kind of certificate ("kubelet-client", "kubelet-server")."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self.current = folder / f"{kind}-current.pem"
        self._pending = folder / f"{kind}-pending.key"

    def pending_key(self) -> bytes | None:
        """Return the key of a request that was made before, None where there is none.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return self._pending.read_bytes()
        except FileNotFoundError:
            return None

    def keep_pending(self, key: bytes) -> None:
        """Keep the key of a request, before the request is made.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(self._pending, key)

    def drop_pending(self) -> None:
        """Forget the key: nothing will come of its request. Idempotent.

        Raises:
            OSError: it cannot be removed.
        """
        self._pending.unlink(missing_ok=True)

    def write(self, certificate: bytes, key: bytes, now_ns: int) -> Path:
        """Write a certificate and its key into a file of their own, which is not used yet, and return it.

        Raises:
            OSError: it cannot be written.
        """
        moment = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y-%m-%d-%H-%M-%S-%f")
        path = self._folder / f"{self._kind}-{moment}.pem"
        _write_private(path, certificate.rstrip() + b"\n" + key)
        return path

    def use(self, path: Path) -> None:
        """Make a file that was written the present one, and remove those that are older than the one before.

        Raises:
            OSError: it cannot be done; then the present one stays.
        """
        link = self.current.with_suffix(".new")
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(self.current)
        self.drop_pending()
        files = sorted(self._folder.glob(f"{self._kind}-[0-9]*.pem"))
        for old in files[:-_KEPT]:
            with suppress(OSError):
                old.unlink()


def _write_private(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
