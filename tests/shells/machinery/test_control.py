"""A process's control socket: who may open it, and how a fault plan comes over it."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from machinery.model.errors import ApiError
from machinery.model.seam import Ends, compose
from machinery.process.clock import SystemClock
from machinery.process.control import Control, served, z_doors
from machinery.process.faults import PlannedFaults
from machinery.process.health import Health
from machinery.process.metrics import Metrics
from machinery.process.recorder import Recorder
from machinery.process.z_pages import ZPages
from machinery.wire.conversation import Conversation, Reading

RULE = {"fault": "expired", "method": "Get", "count": 2}


class Process:
    """A process with one conversation."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "control.sock"
        self.plan_file = folder / "faults.json"
        clock = self.clock = SystemClock()
        self.faults = PlannedFaults(clock, str(self.plan_file))
        recorder = Recorder(clock)
        pages = z_doors(ZPages("kube-scheduler", clock, {"bindings": 10, "leader_elect": True}, ("/livez",)))
        self.control = Control(Health(Metrics()), self.faults, clock, recorder, pages)
        seam = compose(recorder, self.faults)
        assert seam is not None
        self._conversation = Conversation(seam, Ends("scheduler", "apiserver", "resources"), Reading(str))

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request over the socket."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return int(head.split()[1]), answer

    async def put(self, *rules: dict[str, Any]) -> tuple[int, bytes]:
        """Send a plan."""
        return await self.ask("PUT", "/faults", json.dumps({"rules": rules}).encode())

    async def get(self) -> str:
        """Make a call and name the error that it ends with."""

        async def send(_left_s: float | None) -> str:
            return "x"

        try:
            await self._conversation.call("Get", "pods/default/a", send)
        except ApiError as error:
            return error.reason
        return ""


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    """A process that listens."""
    running = Process(tmp_path)
    async with served(running.control, str(running.socket)):
        yield running
    assert not running.socket.exists()


async def test_only_the_processs_own_user_may_open_it(process: Process) -> None:
    """Its mode says so."""
    assert stat.S_IMODE(process.socket.stat().st_mode) == 0o600


async def test_health_is_asked_where_it_always_was(process: Process) -> None:
    """And nothing else can be done to it."""
    assert await process.ask("GET", "/livez") == (200, b"ok")
    assert (await process.ask("GET", "/readyz"))[0] == 503
    assert (await process.ask("GET", "/nothing"))[0] == 404
    assert (await process.ask("POST", "/livez"))[0] == 405


async def test_what_the_process_is_and_what_it_was_told(process: Process) -> None:
    """As kube-scheduler shows it to people; it can only be read."""
    status, flags = await process.ask("GET", "/statusz"), await process.ask("GET", "/flagz")
    assert status[1].startswith(b"kube-scheduler statusz\nWarning: ")
    assert status[1].endswith(b"\nBinary version: 1.36.0\nEmulation version: 1.36\nPaths: /livez\n")
    assert flags[1].endswith(b"\n\nbindings=10\nleader-elect=true\n")
    assert (await process.ask("PUT", "/statusz"))[0] == 405


async def test_a_plan_that_is_extended_goes_on_with_its_counts(process: Process) -> None:
    """Also where its rules change places."""
    assert (await process.put(RULE))[0] == 200
    assert await process.get() == "Expired"
    status, answer = await process.put({"fault": "drop", "protocol": "cri"}, RULE)
    assert status == 200
    assert json.loads(answer)["rules"] == [
        {"fault": "drop", "protocol": "cri", "seen": 0, "applied": 0},
        {**RULE, "seen": 1, "applied": 1},
    ]
    assert [await process.get(), await process.get()] == ["Expired", ""]
    assert json.loads((await process.ask("GET", "/faults"))[1])["rules"][1]["seen"] == 3


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"fault": "explode"}, b"rules[0].fault"),
        ({"fault": "drop", "protocol": 7}, b"rules[0].protocol"),
        ({"fault": "drop", "whom": "x"}, b"rules[0].whom"),
    ],
)
async def test_a_plan_that_does_not_fit_is_refused_with_the_field(
    process: Process, rule: dict[str, Any], field: bytes
) -> None:
    """The plan before it stays."""
    await process.put(RULE)
    status, text = await process.put(rule)
    assert status == 400
    assert field in text
    assert await process.get() == "Expired"


async def test_a_plan_may_come_in_a_file(process: Process) -> None:
    """It is read when the process is told to; one that does not fit changes nothing."""
    process.plan_file.write_text(json.dumps({"rules": [RULE]}))
    process.faults.load()
    assert await process.get() == "Expired"
    process.plan_file.write_text("{")
    process.faults.load()
    assert await process.get() == "Expired"
    process.plan_file.unlink()
    process.faults.load()
    assert await process.get() == ""


async def test_what_was_said_can_be_read(process: Process) -> None:
    """Who asked whom for what, about what, and how it ended."""
    await process.put(RULE)
    await process.get()
    status, answer = await process.ask("GET", "/messages")
    assert status == 200
    (message,) = json.loads(answer)
    assert (message["caller"], message["callee"], message["method"]) == ("scheduler", "apiserver", "Get")
    assert (message["about"], message["error"]["reason"]) == ("pods/default/a", "Expired")


async def test_a_body_beyond_measure_is_refused(process: Process) -> None:
    """Before it is read."""
    reader, writer = await asyncio.open_unix_connection(str(process.socket))
    writer.write(b"PUT /faults HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_its_clock_can_be_set_wrong(process: Process):
    """By wall seconds, either way, and right again; what measures durations goes on as before."""
    for ahead_s in (3600, -0.5, 0):
        before, wall = process.clock.monotonic(), time.time()
        assert await process.ask("PUT", "/clock", b'{"ahead_s": %a}' % ahead_s) == (
            200,
            b'{"ahead_s":%.1f}' % ahead_s,
        )
        assert process.clock.now() - wall == pytest.approx(ahead_s, abs=5)
        assert process.clock.wall_ns() / 1e9 - wall == pytest.approx(ahead_s, abs=5)
        assert process.clock.monotonic() - before < 60
    assert await process.ask("GET", "/clock") == (200, b'{"ahead_s":0.0}')


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"ahead_s": "1"}', b'{"ahead_s": 1e99}', b'{"ahead_s": 1, "x": 1}', b"\xff"]
)
async def test_a_step_that_does_not_fit_is_refused(process: Process, body: bytes):
    """And the clock stays as it was."""
    status, why = await process.ask("PUT", "/clock", body)
    assert (status, bool(why), process.clock.ahead_s) == (400, True, 0)
