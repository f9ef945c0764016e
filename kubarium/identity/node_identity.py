"""Who a node is, as a machine: ids of its own that last, and one that is new with every start.

They lie on the node's disk, where its kubelet reads them: machine-id(5) and the system's UUID are made once; the boot id
is computed from the real machine's, the node's machine id and how often the node was switched on, so that a supervisor
that comes back finds the same one, and a restart of the real machine changes it.
"""

from __future__ import annotations

import uuid
from pathlib import Path

_HOST_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class NodeIdentity:
    """The identity files of one node, in a folder of its disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self) -> None:
        """Write what is not there yet, and the boot id as it has to be now. Idempotent.

        Raises:
            OSError: the node's disk cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._once("machine-id", uuid.uuid4().hex)
        self._once("system-uuid", str(uuid.uuid4()))
        self._write_boot_id(int(self._once("starts", "1")))

    def start_anew(self) -> None:
        """Note that the machine was switched off and on: the boot id is another one from now on.

        Raises:
            OSError: the node's disk cannot be written.
        """
        self.ensure()
        starts = int(self._read("starts")) + 1
        self._write("starts", str(starts))
        self._write_boot_id(starts)

    def _write_boot_id(self, starts: int) -> None:
        host = uuid.UUID(_HOST_BOOT_ID.read_text().strip())
        self._write("boot-id", str(uuid.uuid5(host, f"{self._read('machine-id')}/{starts}")))

    def _once(self, name: str, value: str) -> str:
        if not (self._folder / name).exists():
            self._write(name, value)
        return self._read(name)

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text().strip()

    def _write(self, name: str, value: str) -> None:
        draft = self._folder / f"{name}.new"
        draft.write_text(f"{value}\n")
        draft.replace(self._folder / name)
