"""Requests by several workers: how many a second, how long each took, and what they cost the server's process."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from benchmarks.kubeconfig import Server

_CPU = re.compile(r"^process_cpu_seconds_total ([0-9.e+]+)$", re.MULTILINE)
Figures = dict[str, float]
T = TypeVar("T")


@asynccontextmanager
async def client(server: Server, connections: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session of so many connections."""
    connector = aiohttp.TCPConnector(limit=connections, ssl=server.tls)
    timeout = aiohttp.ClientTimeout(total=300)
    headers = {**server.headers, "Accept-Encoding": "identity"}  # other than where it is measured
    async with aiohttp.ClientSession(
        server.url, connector=connector, headers=headers, timeout=timeout, auto_decompress=False
    ) as session:
        yield session


async def cpu_s(session: aiohttp.ClientSession) -> float:
    """Return the CPU seconds that the server's process has taken, by its own metrics; any apiserver has them.

    Raises:
        RuntimeError: it does not tell.
    """
    async with session.get("/metrics") as answer:
        found = _CPU.search(await answer.text())
    if found is None:
        raise RuntimeError(f"/metrics answered {answer.status}, without process_cpu_seconds_total")
    return float(found[1])


async def load(
    session: aiohttp.ClientSession,
    count: int,
    connections: int,
    request: Callable[[int], Awaitable[Any]],
) -> Figures:
    """Send so many requests, each connection one after the other; `request` returns its seconds, or None for all of it."""
    took: list[float] = []
    todo = iter(range(count))

    async def worker() -> None:
        for index in todo:
            began = time.perf_counter()
            own = await request(index)
            took.append(time.perf_counter() - began if own is None else own)

    before, began = await cpu_s(session), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    all_s, cpu = time.perf_counter() - began, await cpu_s(session) - before
    took.sort()
    return {
        "per_s": round(count / all_s, 1),
        "p50_ms": round(took[count // 2] * 1000, 2),
        "p99_ms": round(took[min(count - 1, count * 99 // 100)] * 1000, 2),
        "cpu_ms": round(cpu / count * 1000, 3),
    }


async def fetched(session: aiohttp.ClientSession, path: str, accept: str) -> None:
    """Read an answer to its end, compressed where the server compresses it."""
    async with session.get(path, headers={"Accept": accept, "Accept-Encoding": "gzip"}) as answer:
        answer.raise_for_status()
        await answer.read()


async def create_all(
    session: aiohttp.ClientSession,
    connections: int,
    count: int,
    path: str,
    make: Callable[[int], dict[str, Any]],
) -> None:
    """Create so many objects; `make` returns one by its number.

    Raises:
        aiohttp.ClientResponseError: the apiserver refuses one.
    """

    async def create(number: int) -> None:
        async with session.post(path, json=make(number)) as answer:
            answer.raise_for_status()

    await for_each(range(count), connections, create)


async def for_each(todo: Iterable[T], connections: int, work: Callable[[T], Awaitable[None]]) -> None:
    """Do something for each, so many at once."""
    rest = iter(todo)

    async def worker() -> None:
        for each in rest:
            await work(each)

    await asyncio.gather(*(worker() for _ in range(connections)))


async def until_there(session: aiohttp.ClientSession, path: str) -> None:
    """Wait until an object exists."""
    while True:
        async with session.get(path) as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.1)
