"""What the engine does not keep: one small JSON file per key, replaced atomically.

A kill at any instruction leaves each note as it was or as it is to be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Notes:
    """The notes in a folder, all of them in memory as well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._known = {path.stem: json.loads(path.read_bytes()) for path in folder.glob("*.json")}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def names(self) -> list[str]:
        """List what there are notes about."""
        return list(self._known)

    def get(self, key: str) -> dict[str, Any]:
        """Return a note; empty if there is none."""
        return dict(self._known.get(key, {}))

    def put(self, key: str, note: dict[str, Any]) -> None:
        """Write a note in place of the one of that key.

        Raises:
            OSError: the disk is full or broken; the note is as it was.
        """
        draft = self._folder / f"{key}.draft"
        draft.write_text(json.dumps(note))
        draft.replace(self._folder / f"{key}.json")
        self._known[key] = note

    def remove(self, key: str) -> None:
        """Forget a note."""
        (self._folder / f"{key}.json").unlink(missing_ok=True)
        self._known.pop(key, None)
