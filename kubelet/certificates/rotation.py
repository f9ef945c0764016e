"""One certificate of the kubelet: asked for, renewed after 70 to 90 % of its life, as long as the kubelet runs.

A request survives a restart: its key is kept before it is made, and its name follows from the key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Final

from kubelet.certificates.keys import asked_with, new_key
from kubelet.certificates.store import CertificateStore
from kubelet.core.certificates import (
    RETRY,
    WAIT_S,
    Issued,
    Refused,
    Validity,
    Wish,
    due_s,
    outcome,
    read_validity,
    signing_request,
)
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, ApiError
from machinery.model.insist import insist
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import Selection
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS
from machinery.model.store import Change

Door = Callable[[], AbstractAsyncContextManager[Api]]
_LOOK_AGAIN_S: Final = 24 * 3600.0  # wall seconds: the longest sleep, since a machine's clock may be set


class NotIssuedError(Exception):
    """Nothing came of a request; the text says why."""


class CertificateRotation:
    """Keeps a certificate valid. `given` is the one that the kubelet was configured with, where there is none of its own."""

    def __init__(
        self,
        wish: Wish,
        store: CertificateStore,
        clock: Clock,
        log: EventLog = SILENT,
        *,
        given: tuple[str, str] | None,
        use: Callable[[str, str], None],
        draw: Callable[[], float],
    ) -> None:
        """Know what to ask for. `use(certificate file, key file)` begins to show a new one; it raises OSError if it cannot."""
        self._wish = wish
        self._store = store
        self._clock = clock
        self._log = log
        self._given = given
        self._use = use
        self._draw = draw
        self._validity: Validity | None = None
        self._due_s = 0.0
        self.errors = 0  # requests that nothing came of

    @property
    def is_expired(self) -> bool:
        """Whether there is no certificate that is valid any more."""
        return self._validity is None or self._validity.ends_s <= self._now_s()

    @property
    def ttl_s(self) -> float | None:
        """How many wall seconds the certificate is still valid, below 0 once it is not; None where there is none."""
        return None if self._validity is None else self._validity.ends_s - self._now_s()

    def present(self) -> tuple[str, str] | None:
        """Return the files of the certificate and the key to begin with; None where there are none that can be read.

        Its own come first. One that is not valid any more is better than none: whoever sees it says so.
        """
        found = None
        for files in ((str(self._store.current), str(self._store.current)), self._given):
            if files is None or (validity := self._read(files[0])) is None:
                continue
            if self.is_expired:
                self._begin(validity)
                found = files
        return found

    async def run(self, door: Door) -> None:
        """Renew the certificate whenever it is due, until cancelled."""
        while True:
            while (left_s := self._due_s - self._now_s()) > 0:
                await self._clock.sleep_wall(min(left_s, _LOOK_AGAIN_S))
            await self.obtain(door)

    async def obtain(self, door: Door) -> tuple[str, str]:
        """Ask for a certificate until there is one, and use it; return its files."""
        errors = (ApiError, NotIssuedError, OSError, ValueError)
        return await insist(lambda: self._obtain(door), self._clock, RETRY, self._tell, on=errors)

    async def _obtain(self, door: Door) -> tuple[str, str]:
        key = await asyncio.to_thread(self._key)
        name, pem = await asyncio.to_thread(asked_with, key, self._wish)
        async with door() as api:
            with suppress(AlreadyExists):  # by the kubelet before, which had this key
                await api.create(CERTIFICATE_SIGNING_REQUESTS, signing_request(name, pem, self._wish))
            found = await self._decided(api, name)
        if isinstance(found, Refused):
            self._store.drop_pending()
            raise NotIssuedError(f'the request "{name}" was of no use: {found.why}')
        path = await asyncio.to_thread(self._store.write, found.certificate, key, self._clock.wall_ns())
        validity = read_validity(found.certificate)
        self._use(str(path), str(path))
        await asyncio.to_thread(self._store.use, path)
        self._begin(validity)
        ends = self._clock.timescale.format(self._clock.timescale.cluster(validity.ends_s))
        self._log.info("certificate_issued", kind=self._wish.kind, request=name, valid_until=ends)
        return str(path), str(path)

    def _key(self) -> bytes:
        key = self._store.pending_key()
        if key is None:
            key = new_key()
            self._store.keep_pending(key)
        return key

    async def _decided(self, api: Api, name: str) -> Issued | Refused:
        """Wait until a request is decided, and where it is approved, signed."""
        decided: asyncio.Future[Issued | Refused] = asyncio.get_running_loop().create_future()

        def look(change: Change[CertificateSigningRequest]) -> None:
            found = Refused("it was deleted") if change.new is None else outcome(change.new)
            if found is not None and not decided.done():
                decided.set_result(found)

        selection = Selection(field_selector=f"metadata.name={name}")
        informer = Informer(api, CERTIFICATE_SIGNING_REQUESTS, selection, clock=self._clock, log=self._log)
        informer.subscribe(look)
        watching = asyncio.ensure_future(informer.run())
        try:
            async with self._clock.timeout(WAIT_S):
                await asyncio.wait((watching, decided), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            raise NotIssuedError(
                f'the request "{name}" waits for its approval: `kubectl certificate approve {name}`'
            ) from error
        finally:
            watching.cancel()
            await asyncio.wait((watching,))
        if not decided.done():
            watching.result()
        return decided.result()

    def _read(self, file: str) -> Validity | None:
        try:
            return read_validity(Path(file).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._log.warning("certificate_unreadable", file=file, error=error)
            return None

    def _begin(self, validity: Validity) -> None:
        self._validity = validity
        self._due_s = due_s(validity, self._draw())

    def _tell(self, error: Exception, failures: int) -> None:
        self.errors += 1
        write = self._log.warning if failures == 1 or failures % 20 == 0 else self._log.debug
        keys = {"expired": "the certificate is not valid any more"} if self.is_expired else {}
        write("certificate_not_renewed", kind=self._wish.kind, error=error, failures=failures, **keys)

    def _now_s(self) -> float:
        return self._clock.wall_ns() / 1e9
