"""Connections to what listens on a sandbox's own loopback."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from machinery.model.clock import Clock

DIAL_S: Final = 5.0  # wall seconds for one address
_CLONE_NEWNET: Final = 0x40000000
_LOOPBACK: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


async def dial(pid: int, port: int, clock: Clock) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a port of the loopback that a process sees, by IPv4 or else by IPv6.

    Raises:
        OSError: nobody listens there, or the process is gone.
    """
    problems = []
    for family, host in _LOOPBACK:
        try:
            return await _connect(pid, family, (host, port), clock)
        except TimeoutError:
            problems.append(f"{host}: no answer")
        except OSError as error:
            problems.append(f"{host}: {os.strerror(error.errno) if error.errno else error}")
    raise OSError("; ".join(problems))


async def _connect(
    pid: int, family: socket.AddressFamily, address: tuple[str, int], clock: Clock
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    made = await _socket_inside(pid, family)
    try:
        made.settimeout(0)
        async with clock.timeout_wall(DIAL_S):
            await asyncio.get_running_loop().sock_connect(made, address)
        return await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise


async def _socket_inside(pid: int, family: socket.AddressFamily) -> socket.socket:
    """Make a socket in a process's network namespace, where it stays; the thread that has gone there ends."""
    with ThreadPoolExecutor(1, thread_name_prefix="sandbox-dial") as alone:
        return await asyncio.get_running_loop().run_in_executor(alone, _make, pid, family)


def _make(pid: int, family: socket.AddressFamily) -> socket.socket:
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return socket.socket(family, socket.SOCK_STREAM)
    finally:
        os.close(descriptor)
