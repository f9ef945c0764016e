"""Sockets in other network namespaces: a socket belongs to the namespace of the thread that makes it, wherever it is used."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from kubarium.host.network import enter


class Spaces:
    """Makes sockets in namespaces by their files, "" for the own one; each has a thread that stays in it."""

    def __init__(self) -> None:
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._entered = threading.local()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    async def make_socket(
        self, path: str, kind: socket.SocketKind, family: socket.AddressFamily = socket.AF_INET
    ) -> socket.socket:
        """Make a socket that does not block.

        Raises:
            OSError: there is no such namespace, or it may not be entered.
        """
        make = partial(self._make, path, kind, family)
        return await asyncio.get_running_loop().run_in_executor(self._thread(path), make)

    def _make(self, path: str, kind: socket.SocketKind, family: socket.AddressFamily) -> socket.socket:
        if path and not hasattr(self._entered, "path"):
            enter(path)
            self._entered.path = path
        made = socket.socket(family, kind)
        made.settimeout(0)
        return made

    def _thread(self, path: str) -> ThreadPoolExecutor:
        if path not in self._threads:
            self._threads[path] = self._stack.enter_context(ThreadPoolExecutor(1))
        return self._threads[path]
