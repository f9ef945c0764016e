"""Whether a pod may use an image that is on the node, asked of the records of who has pulled it.

Fed by `Images`, which tells what it pulls and with whose credentials; decides by `kubelet/core/image_access.py`, keeps what
it learns in `ImageRecords`. A kubelet that is killed at any instruction lets nobody in who was not let in before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from kubelet.core.image_access import (
    ANYONE,
    Access,
    PodCredential,
    PullCredentials,
    PulledRecord,
    Verification,
    find_secret,
    judge_access,
    learns_more,
    prunable,
    with_credentials,
)
from kubelet.image_records import ImageRecords
from machinery.model.clock import Clock
from machinery.model.errors import Definite, InternalError
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri

AskCredentials: TypeAlias = Callable[[], Awaitable[Sequence[PodCredential]]]


@dataclass(frozen=True, slots=True)
class ImagePermits:
    """The node's policy, applied."""

    records: ImageRecords
    verification: Verification
    clock: Clock
    log: EventLog = SILENT

    async def allow(self, image: str, found: cri.Image, ask_credentials: AskCredentials) -> bool:
        """Whether a pod may use an image that is here without a pull; its credentials are asked for where they count."""
        record = self.records.record(found.id) or self._adopted(image, found)
        match judge_access(self.verification, image, record):
            case Access.OPEN:
                return True
            case Access.BY_CREDENTIALS if record is not None:
                return self._has_secret(image, record, await ask_credentials())
        return False

    @contextmanager
    def pulling(self, image: str) -> Iterator[_Pull]:
        """Note a pull while inside, and longer where nobody knows how it has ended.

        Raises:
            InternalError: it cannot be noted; the image may not be pulled, since nobody would know.
        """
        try:
            self.records.begin(image)
        except OSError as error:
            text = f'Failed to record image pull intent for container image "{image}": {error}'
            raise InternalError(text) from error
        pull = _Pull()
        try:
            yield pull
            pull.is_over = self._note_pulled(image, pull.image_ref, pull.used)
        except Definite:
            pull.is_over = True
            raise
        finally:
            self.records.end(image, is_over=pull.is_over)

    def has_records(self) -> bool:
        """Whether there is anything to prune."""
        return bool(self.records.records())

    def now_text(self) -> str:
        """Return the time as records have it."""
        return self.clock.timescale.format(self.clock.now())

    def prune(self, here: Sequence[cri.Image], listed_text: str) -> None:
        """Forget who pulled images that were not here when they were listed."""
        for record in prunable(self.records.records(), (image.id for image in here), listed_text):
            self.records.remove(record)

    def _adopted(self, image: str, found: cri.Image) -> PulledRecord | None:
        """Return a record for an image whose pull nobody saw the end of: nobody knows with which credentials."""
        names = (image, *found.repo_tags, *found.repo_digests)
        if not self.records.intends(names):
            return None
        record = with_credentials(None, image, found.id, None, now_text=self.now_text())
        if self._kept(record):
            self.records.settle(names)
        return record

    def _has_secret(self, image: str, record: PulledRecord, has: Sequence[PodCredential]) -> bool:
        secret = find_secret(record, image, has)
        if secret is None:
            return False
        if learns_more(record, image):
            used = PullCredentials(kubernetes_secrets=(secret,))
            self._kept(with_credentials(record, image, record.image_ref, used, now_text=self.now_text()))
        return True

    def _note_pulled(self, image: str, image_ref: str, used: PodCredential | None) -> bool:
        credentials = PullCredentials(kubernetes_secrets=(used.as_secret(),)) if used else ANYONE
        before = self.records.record(image_ref)
        return self._kept(with_credentials(before, image, image_ref, credentials, now_text=self.now_text()))

    def _kept(self, record: PulledRecord) -> bool:
        """Keep a record; whether that worked. Without it an image's next user is verified."""
        try:
            self.records.keep(record)
        except OSError as error:
            self.log.warning("image_record_not_written", image=record.image_ref, error=error)
            return False
        return True


@dataclass(slots=True)
class _Pull:
    """What a pull has come to, told by who makes it."""

    image_ref: str = ""
    used: PodCredential | None = None  # None: none were needed
    is_over: bool = False
