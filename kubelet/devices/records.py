"""Which claims drivers were asked to prepare, on the node's disk: a kubelet that starts again puts away what is left over.

A claim is written before its drivers are asked, and removed when all of them have put it away. The file is replaced, so that a
kill leaves it as it was or as it is to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kubelet.core.devices import PreparedClaim
from machinery.model.log import EventLog

FILE: Final = "dra_manager_state"
_DRAFT: Final = ".draft"


class ClaimRecords:
    """The claims, by namespace and name."""

    def __init__(self, root: Path, log: EventLog) -> None:
        self._file = root / FILE
        self._claims = {(each.namespace, each.name): each for each in self._read(log)}

    def get(self, namespace: str, name: str) -> PreparedClaim | None:
        """Return a claim; None for one that nobody was asked for."""
        return self._claims.get((namespace, name))

    def all(self) -> list[PreparedClaim]:
        """Return all claims."""
        return list(self._claims.values())

    def of_pod(self, pod_uid: str) -> list[PreparedClaim]:
        """Return the claims that a pod uses."""
        return [each for each in self._claims.values() if pod_uid in each.pods]

    def put(self, claims: Iterable[PreparedClaim]) -> None:
        """Write claims.

        Raises:
            OSError: the disk is full or broken; what is on it is as it was.
        """
        self._replace({**self._claims, **{(each.namespace, each.name): each for each in claims}})

    def drop(self, claims: Iterable[PreparedClaim]) -> None:
        """Remove claims.

        Raises:
            OSError: the disk is full or broken; what is on it is as it was.
        """
        gone = {(each.namespace, each.name) for each in claims}
        self._replace({key: each for key, each in self._claims.items() if key not in gone})

    def _replace(self, claims: dict[tuple[str, str], PreparedClaim]) -> None:
        draft = self._file.with_suffix(_DRAFT)
        draft.write_bytes(msgspec.json.encode(list(claims.values())))
        draft.replace(self._file)
        self._claims = claims

    def _read(self, log: EventLog) -> list[PreparedClaim]:
        with suppress(FileNotFoundError):
            try:
                return msgspec.json.decode(self._file.read_bytes(), type=list[PreparedClaim])
            except msgspec.MsgspecError as error:
                log.warning("prepared_claims_not_read", file=self._file, error=error, action="begins without")
        return []
