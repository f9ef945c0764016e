"""How a fault plan reaches a running process: over its control socket, or in a file with a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from machinery.rpc.status import Code, RpcError
from tests.support.cri_servers import CriServer, connected

PLAN = {"rules": [{"fault": "expired", "protocol": "cri", "method": "RunPodSandbox", "at": "server"}]}


@pytest.fixture
async def server() -> AsyncIterator[CriServer]:
    """A hollow runtime as a process, with a control socket and the path of a fault plan."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        flags = [f"--health-socket={folder / 'control.sock'}", f"--faults-file={folder / 'faults.json'}"]
        running = CriServer("hollow", folder, flags=flags)
        await asyncio.to_thread(running.start)
        try:
            yield running
        finally:
            await asyncio.to_thread(running.stop)


async def runs(server: CriServer) -> bool:
    """Whether a sandbox can be run now."""
    async with connected(server) as client:
        await client.use_pod_range()
        try:
            await client.run_sandbox()
        except RpcError as error:
            if error.code is not Code.OUT_OF_RANGE:
                raise
            return False
        return True


async def put(server: CriServer, plan: dict[str, Any]) -> None:
    """Send a plan over the control socket, as `curl --unix-socket … -T plan.json http://x/faults` does."""
    body = json.dumps(plan).encode()
    reader, writer = await asyncio.open_unix_connection(str(server.folder / "control.sock"))
    writer.write(b"PUT /faults HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert b" 200 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_plan_comes_over_the_control_socket(server: CriServer) -> None:
    """And goes the same way."""
    assert await runs(server)
    await put(server, PLAN)
    assert not await runs(server)
    await put(server, {})
    assert await runs(server)


async def test_a_plan_is_read_again_at_sighup(server: CriServer) -> None:
    """The process goes on with it; without the file it has none."""
    plan = server.folder / "faults.json"
    plan.write_text(json.dumps(PLAN))
    os.kill(server.pid, signal.SIGHUP)
    async with asyncio.timeout(60):
        while await runs(server):
            await asyncio.sleep(0.01)
    plan.unlink()
    os.kill(server.pid, signal.SIGHUP)
    async with asyncio.timeout(60):
        while not await runs(server):
            await asyncio.sleep(0.01)
