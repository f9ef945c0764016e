"""What the pods of a node have of CSI drivers, written down in their folders before a driver is asked.

So the next kubelet undoes what this one has done. Paths of notes: `pods/<uid>/csi/<the pod's name for the volume>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kubelet.core.csi import Note
from machinery.model.attachments import unique_name

_FOLDER: Final = "csi"


class Notes:
    """The notes of all pods, by the pod's uid and its own name for the volume."""

    def __init__(self, pods: Path) -> None:
        self._pods = pods
        self._notes: dict[str, dict[str, Note]] = {}
        for path in pods.glob(f"*/{_FOLDER}/*"):
            with suppress(OSError, msgspec.MsgspecError):  # half written: nobody was asked yet
                note = msgspec.json.decode(path.read_bytes(), type=Note)
                self._notes.setdefault(path.parts[-3], {})[path.name] = note

    def of(self, pod_uid: str) -> Mapping[str, Note]:
        """Return the notes of a pod, by its own names for its volumes."""
        return self._notes.get(pod_uid, {})

    def all(self) -> Iterator[tuple[str, str, Note]]:
        """Yield every note, with its pod's uid and the pod's name for the volume, as of now."""
        found = [(uid, name, note) for uid, notes in self._notes.items() for name, note in notes.items()]
        yield from found

    def in_use(self) -> list[str]:
        """Return the volumes that have to stay attached, as a node's status names them."""
        return sorted({_volume(note) for _, _, note in self.all() if note.is_attachable})

    def is_used_elsewhere(self, pod_uid: str, name: str, note: Note) -> bool:
        """Whether another volume of a pod is the same one."""
        return any(
            _volume(other) == _volume(note) and (uid, its_name) != (pod_uid, name)
            for uid, its_name, other in self.all()
        )

    def write(self, pod_uid: str, name: str, note: Note) -> None:
        """Write a note down; what is written already stays.

        Raises:
            OSError: it cannot be written.
        """
        notes = self._notes.setdefault(pod_uid, {})
        if notes.get(name) != note:
            path = self._path(pod_uid, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode(note))
            notes[name] = note

    def drop(self, pod_uid: str, name: str) -> None:
        """Drop a note: nothing is left of what it tells.

        Raises:
            OSError: its file cannot be removed.
        """
        self._path(pod_uid, name).unlink(missing_ok=True)
        notes = self._notes[pod_uid]
        del notes[name]
        if not notes:
            del self._notes[pod_uid]

    def _path(self, pod_uid: str, name: str) -> Path:
        return self._pods / pod_uid / _FOLDER / name


def _volume(note: Note) -> str:
    return unique_name(note.driver, note.handle)
