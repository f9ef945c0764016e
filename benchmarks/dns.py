"""What a DNS answer costs beside 10, 1,000 and 10,000 Services, and what it costs dnsmasq (Debian's) with as many names.

Each server is a process of its own; the same load asks both in turn, over UDP on loopback, with so many questions under way
at once. CPU is the server's own, a question; latencies are the client's, which shares the machine.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from dns.answering import MOST_HOT, Answering
from dns.core.hot import HotAnswers
from dns.core.upstream import Remembered, Server, Upstream
from dns.exchange import exchange
from dns.forwarder import Forwarder
from dns.listeners import Doors
from machinery.model.log import SILENT
from machinery.process.clock import SystemClock
from machinery.process.metrics import Metrics
from tests.support.dns import Fed, endpoint, endpoint_slice, question, service

SIZES: Final = (10, 1_000, 10_000)
QUESTIONS: Final = 20_000
ROUNDS: Final = 5
_UNDER_WAY: Final = 32
_NAMES_ASKED: Final = 2_000  # of all Services, at most


def measure() -> dict[str, Any]:
    """Report questions a second, CPU and latency of both servers, for each number of Services.

    Raises:
        RuntimeError: a server does not start.
    """
    return {f"{size}_services": _compare(size) for size in SIZES}


def _compare(size: int) -> dict[str, Any]:
    servers: dict[str, list[dict[str, float]]] = {}
    with _ours(size) as ours, _dnsmasq(size) as peer:
        for _ in range(ROUNDS):
            for name, server in (("dns", ours), ("dnsmasq", peer)):
                if server is not None:
                    servers.setdefault(name, []).append(_load(*server, size))
        memory = {
            name: round(psutil.Process(server[0]).memory_full_info().pss / 2**20, 1)
            for name, server in (("dns", ours), ("dnsmasq", peer))
            if server is not None
        }
    return {
        name: {
            **{key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]},
            "pss_mib": memory[name],
        }
        for name, rounds in servers.items()
    }


def _address(index: int) -> str:
    return f"10.{96 + index // 62_500}.{index // 250 % 250}.{index % 250 + 1}"


def _name(index: int) -> str:
    return f"svc-{index}.default.svc.cluster.local"


def _load(pid: int, port: int, size: int) -> dict[str, float]:
    """Ask questions, so many under way at once, each for any of the names."""
    draw = random.Random(size)
    names = [draw.randrange(size) for _ in range(min(size, _NAMES_ASKED))]
    messages = [question(_name(index)) for index in names]
    process = psutil.Process(pid)
    times: list[float] = []
    before = process.cpu_times()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(2)
        began = time.monotonic()
        sent: dict[int, float] = {}
        number = 0
        while len(times) < QUESTIONS:
            while len(sent) < _UNDER_WAY and number < QUESTIONS:
                sent[number & 0xFFFF] = time.monotonic()
                client.send(struct.pack("!H", number & 0xFFFF) + messages[number % len(messages)][2:])
                number += 1
            answer = client.recv(4096)
            if answer[7] != 1:
                raise RuntimeError(f"port {port} does not answer with an address: {answer!r}")
            times.append(time.monotonic() - sent.pop(int.from_bytes(answer[:2], "big")))
        elapsed = time.monotonic() - began
    after = process.cpu_times()
    times.sort()
    used = after.user + after.system - before.user - before.system
    return {
        "questions_per_s": QUESTIONS / elapsed,
        "cpu_us_a_question": 1e6 * used / QUESTIONS,
        "p50_ms": 1_000 * times[len(times) // 2],
        "p99_ms": 1_000 * times[len(times) * 99 // 100],
    }


@contextmanager
def _ours(size: int) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "benchmarks.dns", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError("the server did not start")
            yield process.pid, int(line)
        finally:
            process.kill()


@contextmanager
def _dnsmasq(size: int) -> Iterator[tuple[int, int] | None]:
    """Run dnsmasq with a hosts file; None where it is not installed."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        print(
            "dns: dnsmasq is not installed (apt-get install dnsmasq-base): there is no peer", file=sys.stderr
        )
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder, "hosts")
        hosts.write_text("".join(f"{_address(index)} {_name(index)}\n" for index in range(size)))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
        command = [
            program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", f"--addn-hosts={hosts}",
            f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--user=root",
            "--pid-file=",
        ]  # fmt: skip
        with subprocess.Popen(command) as process:
            try:
                _await_answer(port)
                yield process.pid, port
            finally:
                process.kill()


def _await_answer(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.1)
        for _ in range(100):
            try:
                client.send(question(_name(0)))
                client.recv(4096)
            except OSError:
                time.sleep(0.05)
            else:
                return
    raise RuntimeError("dnsmasq does not answer")


async def _serve(size: int) -> None:
    """Answer for so many Services until killed; say the port."""
    fed = Fed(HotAnswers(MOST_HOT))
    for index in range(size):
        fed.put(service(f"svc-{index}", ips=[_address(index)]))
        fed.put(endpoint_slice(endpoint(f"10.244.{index // 250}.{index % 250}"), of=f"svc-{index}"))
    clock = SystemClock()
    async with asyncio.TaskGroup() as tasks:
        forwarder = Forwarder(
            Upstream((), {}),
            exchange,
            Remembered(1, 1),
            tasks=tasks,
            clock=clock,
            log=SILENT,
            timeout_s=1,
            most=1,
            failures=Metrics().counter("failures", "", ["server"]),
        )
        answering = Answering(fed.zone, fed.hot, forwarder)
        doors = Doors(answering, tasks=tasks, clock=clock, most_connections=8, idle_s=10)
        (port,) = await doors.open([Server("127.0.0.1", 0)])
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
