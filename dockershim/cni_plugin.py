"""Runs a CNI plugin: a program that reads its configuration on stdin and answers on stdout.

Started with vfork (subprocess), not with the event loop's own fork: that one copies the tables of all this process's pages.
Its end is noticed by a descriptor of the process (pidfd); no thread waits.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Final

from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded

PLUGIN_S: Final = 30.0  # wall seconds


async def run_plugin(
    program: str, stdin: bytes, environment: dict[str, str], *, clock: Clock
) -> tuple[int, bytes]:
    """Run a plugin to its end; return its exit code and its answer. It does not outlive the caller's cancellation.

    Raises:
        DeadlineExceeded: it did not end in `PLUGIN_S`, and was killed.
    """
    source, sink = os.memfd_create("cni-in"), os.memfd_create("cni-out")
    try:
        os.write(source, stdin)
        os.lseek(source, 0, os.SEEK_SET)
        process = subprocess.Popen([program], stdin=source, stdout=sink, env=environment)  # noqa: ASYNC220 - see above
        try:
            await _ended(process.pid, clock)
        except TimeoutError as error:
            raise DeadlineExceeded(f"CNI plugin {program} did not end in {PLUGIN_S:g} s") from error
        finally:
            process.kill()  # does nothing to one that has ended
            process.wait()
        return process.returncode, os.pread(sink, os.fstat(sink).st_size, 0)
    finally:
        os.close(source)
        os.close(sink)


async def _ended(pid: int, clock: Clock) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, lambda: None if done.done() else done.set_result(None))
    try:
        async with clock.timeout_wall(PLUGIN_S):
            await done
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
