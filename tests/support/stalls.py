"""Tells whether the machine itself stood still: a deadline that was missed meanwhile says nothing of the product."""

from __future__ import annotations

import os
import threading
import time
from tempfile import TemporaryFile
from typing import Self

_EVERY_S = 0.05


class Stalls:
    """Writes a byte to the disk every 50 ms, as etcd does for its leases, and remembers the longest wait for it."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._pulse, daemon=True)

    def _pulse(self) -> None:
        with TemporaryFile(dir="/var/tmp") as file:
            while not self._over.is_set():
                began = time.monotonic()
                file.write(b"x")
                file.flush()
                os.fsync(file.fileno())
                self._over.wait(_EVERY_S)
                self.longest_s = max(self.longest_s, time.monotonic() - began - _EVERY_S)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
