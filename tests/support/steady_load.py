"""A steady load on several doors at once: so many requests a second, while not too many wait for their answers.

It runs in a process of its own inside of a network namespace, is bounded in rate, number and time, and keeps of every
failure when the request was sent, at which door, and what went wrong. Each request is a connection of its own.
"""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

PATIENCE_S = 10.0  # for one answer; a machine that is busy with other things takes some of it
AT_ONCE = (
    300  # requests that wait: where there are as many, the machine is too slow for more, and none is sent
)


class Door(NamedTuple):
    """Where is asked: over HTTP with a host's name, or over DNS for a name."""

    name: str
    address: str
    port: int
    host: str
    kind: str = "http"  # or "dns"


class Failure(NamedTuple):
    """A request that was not answered well; seconds since the load began."""

    door: str
    sent_s: float
    why: str


@dataclass
class Load:
    """The load, while it is entered; afterwards what came of it."""

    namespace: str
    doors: Sequence[Door]
    rate: float  # requests a second, over all doors in turn
    limit_s: float = 240.0
    answered: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest_s: float = 0.0
    marks: list[float] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        wanted = json.dumps({"doors": self.doors, "rate": self.rate, "limit_s": self.limit_s})
        command = [
            "ip",
            "netns",
            "exec",
            self.namespace,
            sys.executable,
            "-m",
            "tests.support.steady_load",
            wanted,
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"
        return self

    def mark(self) -> None:
        """Note that something happens now: `marks` says afterwards when that was, in seconds since the load began."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("mark\n")
        self._process.stdin.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        out, _ = self._process.communicate("stop\n", timeout=PATIENCE_S + 20)
        said = json.loads(out)
        self.answered = Counter(said["answered"])
        self.failures = [Failure(*each) for each in said["failures"]]
        self.slowest_s, self.marks = said["slowest_s"], said["marks"]

    def failed(self, *doors: str) -> list[Failure]:
        """Return the failures at some doors, or at all."""
        return [each for each in self.failures if not doors or each.door in doors]

    def __str__(self) -> str:
        lost = Counter((each.door, each.why) for each in self.failures)
        when = Counter((int(each.sent_s), each.door) for each in self.failures)
        sent = [f"{number} to {door} in second {second}" for (second, door), number in sorted(when.items())]
        marks = ", ".join(f"{mark:.1f} s" for mark in self.marks)
        return (
            f"answered {dict(self.answered)}, lost {dict(lost)}, sent {', '.join(sent) or 'never'};"
            f" marks {marks}; slowest {self.slowest_s:.2f} s"
        )


@dataclass
class _Running:
    doors: list[Door]
    rate: float
    limit_s: float
    answered: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest_s: float = 0.0
    marks: list[float] = field(default_factory=list)
    open: int = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        stopped = loop.run_in_executor(None, self._listen, loop, began)
        print("started", flush=True)
        async with asyncio.TaskGroup() as tasks:
            sent = 0
            while not stopped.done() and loop.time() < began + self.limit_s:
                due = int((loop.time() - began) * self.rate)
                for number in range(sent, min(due, sent + AT_ONCE - self.open)):
                    tasks.create_task(self._one(self.doors[number % len(self.doors)], loop.time() - began))
                sent = due
                await asyncio.sleep(0.002)

    def _listen(self, loop: asyncio.AbstractEventLoop, began: float) -> None:
        while sys.stdin.readline() == "mark\n":
            self.marks.append(loop.time() - began)

    async def _one(self, door: Door, sent_s: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.open += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                await (_http if door.kind == "http" else _dns)(door)
        except (OSError, EOFError, ValueError) as error:
            self.failures.append(Failure(door.name, sent_s, repr(error)))
        else:
            self.answered[door.name] += 1
            self.slowest_s = max(self.slowest_s, loop.time() - began)
        finally:
            self.open -= 1


async def _http(door: Door) -> None:
    reader, writer = await asyncio.open_connection(door.address, door.port)
    try:
        writer.write(f"GET / HTTP/1.0\r\nHost: {door.host}\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise ValueError(answer[:60])


class _Answer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self.found.done():
            self.found.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.found.done():
            self.found.set_exception(exc)


async def _dns(door: Door) -> None:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in door.host.split("."))
    question = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    transport, answer = await asyncio.get_running_loop().create_datagram_endpoint(
        _Answer, remote_addr=(door.address, door.port)
    )
    try:
        transport.sendto(question)
        _, flags, _, count, _, _ = struct.unpack_from("!HHHHHH", await answer.found)
    finally:
        transport.close()
    if flags & 0xF or not count:
        raise ValueError(f"DNS answers with code {flags & 0xF} and {count} records")


def main() -> None:
    """Run the load that the arguments describe until a line comes in; print what came of it."""
    wanted = json.loads(sys.argv[1])
    running = _Running([Door(*each) for each in wanted["doors"]], wanted["rate"], wanted["limit_s"])
    asyncio.run(running.run())
    said = {
        "answered": running.answered,
        "failures": running.failures,
        "slowest_s": running.slowest_s,
        "marks": running.marks,
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
