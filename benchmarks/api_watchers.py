"""`python -m benchmarks.api_watchers KUBECONFIG PATH COUNT WRITES REVISION ACCEPT`: watch a collection on many connections.

In a process of its own, and without an HTTP library, so that what is measured is the server. Prints "ready" when every
watch is established, and after so many events on each of them a line of JSON: how long they took from the write, whose
time (`time.monotonic_ns`) stands in the object as `sent`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.kubeconfig import read

SENT = re.compile(rb'sent(?:":"|\x12\x14)(\d{20})')  # as `sent()` writes it, in JSON and in protobuf
LONGEST = len('sent":"') + 20
PATIENCE_S = 60


def sent() -> str:
    """Encode the time of a write."""
    return f"{time.monotonic_ns():020}"


class Watchers:
    """All watchers of this process, and the delays that they saw."""

    def __init__(self, count: int, writes: int) -> None:
        self.established = asyncio.Event()
        self.done = asyncio.Event()
        self.latencies_ms: list[float] = []
        self._left = count
        self._wanted = count * writes

    def begin(self) -> None:
        """Count an answer that has begun."""
        self._left -= 1
        if not self._left:
            self.established.set()

    def take(self, data: bytes) -> bytes:
        """Note the events in a piece of a stream; return what the next piece may complete."""
        end = 0
        for found in SENT.finditer(data):
            self.note(int(found[1]))
            end = found.end()
        return data[max(end, len(data) - LONGEST) :]

    def note(self, sent_ns: int) -> None:
        """Note an event, by the time of its write."""
        self.latencies_ms.append((time.monotonic_ns() - sent_ns) / 1e6)
        if len(self.latencies_ms) >= self._wanted:
            self.done.set()

    def figures(self) -> dict[str, float]:
        """Return how long events took."""
        ordered = sorted(self.latencies_ms)
        places = {"p50_ms": 0.5, "p99_ms": 0.99}
        return {name: round(ordered[int(len(ordered) * place)], 1) for name, place in places.items()}


class Watcher(asyncio.Protocol):
    """One connection."""

    def __init__(self, watchers: Watchers, request: bytes) -> None:
        self._watchers = watchers
        self._request = request
        self._begun = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note an answer's head, then its events.

        Raises:
            ConnectionError: the watch is refused.
        """
        if not self._begun:
            if not data.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(data[:200])
            self._begun = True
            self._watchers.begin()
        self._rest = self._watchers.take(self._rest + data)


async def watch(kubeconfig: Path, path: str, count: int, writes: int, revision: str, accept: str) -> None:
    """Watch on `count` connections until each has seen so many writes; print "ready", then the delays.

    Raises:
        TimeoutError: not all events arrived in time.
    """
    server = read(kubeconfig)
    host, _, port = server.url.removeprefix("https://").rpartition(":")
    lines = {"Host": host, "Accept": accept, **server.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"GET {path}?watch=true&resourceVersion={revision} HTTP/1.1\r\n{head}\r\n".encode()
    watchers, loop = Watchers(count, writes), asyncio.get_running_loop()
    for _ in range(count):
        await loop.create_connection(lambda: Watcher(watchers, request), host, int(port), ssl=server.tls)
    async with asyncio.timeout(PATIENCE_S):
        await watchers.established.wait()
        print("ready", flush=True)
        await watchers.done.wait()
    print(json.dumps(watchers.figures()), flush=True)


if __name__ == "__main__":
    _, kubeconfig, path, count, writes, revision, accept = sys.argv
    uvloop.run(watch(Path(kubeconfig), path, int(count), int(writes), revision, accept))
