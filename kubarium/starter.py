"""Starts the supervisor, early, so that it imports what it needs while the handle prepares the cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from kubarium.core.layout import Layout
from kubarium.errors import KubariumError
from kubarium.host.pidfd import wait_ended
from machinery.process.search_path import environment


class Starter:
    """The supervisor's process before it goes its own way. Left without `begin()`, it ends having done nothing."""

    def __init__(self, layout: Layout[Path]) -> None:
        self._layout = layout
        command = [sys.executable, "-P", "-m", "kubarium.supervisor", "--detach"]
        self._process = subprocess.Popen(
            [*command, "--home", str(layout.home), "--run", str(layout.run)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd="/",
            env=environment(),  # for all that is forked from it, too
            start_new_session=True,  # a Ctrl-C is the handle's: it decides what becomes of this
        )

    def begin(self) -> None:
        """Signal the supervisor to begin: the cluster's folder is complete.

        Raises:
            ValueError: the supervisor was started without a pipe.
        """
        if self._process.stdin is None:
            raise ValueError("the supervisor was started without a pipe")
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.close()
        except BrokenPipeError:  # it has ended; wait() says so
            return

    def wait(self, patience_s: float) -> None:
        """Return when the supervisor answers.

        Raises:
            KubariumError: it ended, or does not answer in time.
        """
        log = self._layout.log("supervisor")
        if not wait_ended(self._process.pid, patience_s):  # Popen's own wait with a timeout looks every 50 ms
            raise KubariumError(f"the supervisor does not answer; its log is {log}")
        if self._process.wait():
            tail = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else []
            raise KubariumError("the supervisor ended at once:\n  " + "\n  ".join(tail))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release a supervisor that was not told to begin, and reap it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
            self._process.wait()
        elif kind is not None:
            self._process.kill()  # the one that waits; what has begun goes on, and `kubarium down` ends it
            self._process.wait()
