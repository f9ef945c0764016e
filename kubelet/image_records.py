"""The records of pulled images and of pulls under way, on the node's disk as Kubernetes' kubelet keeps them.

    <root>/image_manager/pulling/sha256-…    an intent: a pull of this image was begun
    <root>/image_manager/pulled/sha256-…     a record: this image was pulled, and with whose credentials

All of them in memory as well: nobody else writes them. Files are replaced, so that a kill leaves each as it was or as it
is to be; one that cannot be read counts as a record without credentials, so that its image is verified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from kubelet.core.image_access import PulledRecord, PullIntent, same_image
from machinery.model.log import SILENT, EventLog

FOLDER: Final = "image_manager"
_DRAFT: Final = ".draft"


class ImageRecords:
    """What the kubelet knows of the images that it has pulled."""

    def __init__(self, root_dir: Path, log: EventLog = SILENT) -> None:
        self._pulling, self._pulled = (root_dir / FOLDER / name for name in ("pulling", "pulled"))
        self._log = log
        self._intents: dict[str, str] = {}  # by file name
        self._records: dict[str, PulledRecord] = {}
        self._under_way: Counter[str] = Counter()  # pulls of this process
        self._read()

    def record(self, image_ref: str) -> PulledRecord | None:
        """Return the record of an image; None where the kubelet has not pulled it."""
        return self._records.get(_key(image_ref))

    def records(self) -> list[PulledRecord]:
        """Return all records."""
        return list(self._records.values())

    def intends(self, names: Iterable[str]) -> bool:
        """Whether a pull of an image with one of these names was begun and is not known to have ended."""
        wanted = [*names]
        return any(same_image(intent, name) for intent in self._intents.values() for name in wanted)

    def begin(self, image: str) -> None:
        """Note a pull before it begins.

        Raises:
            OSError: the disk is full or broken; the image may not be pulled, or nobody would know.
        """
        self._under_way[image] += 1
        try:
            if _key(image) not in self._intents:
                self._write(self._pulling / _key(image), PullIntent(image=image))
                self._intents[_key(image)] = image
        except OSError:
            self._under_way[image] -= 1
            raise

    def end(self, image: str, *, is_over: bool) -> None:
        """Forget a pull that is over, unless another one of the image is under way; others stay noted."""
        self._under_way[image] -= 1
        if self._under_way[image] <= 0:
            del self._under_way[image]
            if is_over:
                self._forget_intent(image)

    def keep(self, record: PulledRecord) -> None:
        """Write a record.

        Raises:
            OSError: the disk is full or broken; the record is as it was.
        """
        if self._records.get(_key(record.image_ref)) != record:
            self._write(self._pulled / _key(record.image_ref), record)
            self._records[_key(record.image_ref)] = record

    def settle(self, names: Iterable[str]) -> None:
        """Forget the intents of an earlier life for an image that has a record now."""
        wanted = [*names]
        for intent in [*self._intents.values()]:
            if intent not in self._under_way and any(same_image(intent, name) for name in wanted):
                self._forget_intent(intent)

    def remove(self, record: PulledRecord) -> None:
        """Remove a record, of an image that is gone."""
        self._records.pop(_key(record.image_ref), None)
        with suppress(OSError):  # it is removed again by the next kubelet
            self._delete(self._pulled / _key(record.image_ref))

    def _forget_intent(self, image: str) -> None:
        try:
            self._delete(self._pulling / _key(image))
        except OSError as error:
            self._log.warning("pull_intent_not_removed", image=image, error=error)
            return
        self._intents.pop(_key(image), None)

    def _read(self) -> None:
        for folder in (self._pulling, self._pulled):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for draft in folder.glob(f"*{_DRAFT}"):
                draft.unlink()
        for path in self._pulling.iterdir():
            with suppress(OSError, msgspec.DecodeError):  # of an image that nobody can tell
                self._intents[path.name] = msgspec.json.decode(path.read_bytes(), type=PullIntent).image
        for path in self._pulled.iterdir():
            try:
                self._records[path.name] = msgspec.json.decode(path.read_bytes(), type=PulledRecord)
            except (OSError, msgspec.DecodeError) as error:
                self._log.warning("image_record_damaged", file=str(path), error=error)
                self._records[path.name] = PulledRecord(last_updated_time="", image_ref="")

    def _write(self, path: Path, content: PulledRecord | PullIntent) -> None:
        draft = path.with_name(path.name + _DRAFT)
        draft.write_bytes(msgspec.json.encode(content))
        draft.replace(path)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def _key(text: str) -> str:
    return f"sha256-{sha256(text.encode()).hexdigest()}"
