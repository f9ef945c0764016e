"""Whether the machine itself stood still: a deadline that was missed meanwhile says nothing of the product."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Self

from tests.support.yardstick import times_slower

_EVERY_S = 0.05


class Stalls:
    """Writes a byte to the disk every 50 ms, as etcd does for its leases, and remembers how long it took too long."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.total_s = 0.0
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
                late_s = max(0.0, time.monotonic() - began - _EVERY_S)
                self.longest_s, self.total_s = max(self.longest_s, late_s), self.total_s + late_s

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def using(*, less_than_s: float) -> Iterator[None]:
    """Check how many seconds of the CPU a block uses in this thread; more may be used where the machine is slower.

    Raises:
        AssertionError: it used as many or more.
    """
    began = time.thread_time()
    yield
    used_s = time.thread_time() - began
    assert used_s < less_than_s or used_s < less_than_s * times_slower(), f"it used {used_s:.3f} s"


@contextmanager
def taking(*, less_than_s: float, at_least_s: float = 0.0) -> Iterator[None]:
    """Check how many wall seconds a block takes, without those in which the machine itself stood still.

    Raises:
        AssertionError: it took less, or as much or more.
    """
    with Stalls() as stalls:
        began = time.monotonic()
        yield
        took_s = time.monotonic() - began
    assert at_least_s <= took_s, f"it took {took_s:.3f} s only"
    assert took_s - stalls.total_s < less_than_s, (
        f"it took {took_s:.3f} s, {stalls.total_s:.3f} of them stalls"
    )
