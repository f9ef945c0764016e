"""`python -m benchmarks.api_watchers URL PKI COUNT WRITES REVISION`: watch ConfigMaps on many connections.

In a process of its own, and without an HTTP library, so that what is measured is the server. Prints "ready" when every
watch is established, and after so many events on each of them a line of JSON: how long they took from the write, whose
time (`time.monotonic_ns`) stands in the object as `sent`.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

SENT = re.compile(rb'"sent":"(\d{20})"')  # as `sent()` writes it
LONGEST = len('"sent":""') + 20
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
        now_ns, end = time.monotonic_ns(), 0
        for found in SENT.finditer(data):
            self.latencies_ms.append((now_ns - int(found[1])) / 1e6)
            end = found.end()
        if len(self.latencies_ms) >= self._wanted:
            self.done.set()
        return data[max(end, len(data) - LONGEST) :]

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


async def watch(url: str, pki: Path, count: int, writes: int, revision: str) -> None:
    """Watch on `count` connections until each has seen so many writes; print "ready", then the delays.

    Raises:
        TimeoutError: not all events arrived in time.
    """
    host, _, port = url.removeprefix("https://").rpartition(":")
    tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    tls.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
    path = f"/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={revision}"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    watchers, loop = Watchers(count, writes), asyncio.get_running_loop()
    for _ in range(count):
        await loop.create_connection(lambda: Watcher(watchers, request), host, int(port), ssl=tls)
    async with asyncio.timeout(PATIENCE_S):
        await watchers.established.wait()
        print("ready", flush=True)
        await watchers.done.wait()
    print(json.dumps(watchers.figures()), flush=True)


if __name__ == "__main__":
    _, url, pki, count, writes, revision = sys.argv
    uvloop.run(watch(url, Path(pki), int(count), int(writes), revision))
