"""The real kubectl against dockershim's streams, over SPDY and WebSocket: client-go is what crictl and other kubelets speak."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from machinery.rpc.status import RpcError
from tests.support.cri_servers import SLEEPS, Behaviour, Cri
from tests.support.kubectl import Kubectl
from tests.support.pod_door import POD, PodDoor, pod_door
from tests.support.requirements import need
from tests.support.waiting import until

pytestmark = pytest.mark.docker

LIMIT_S = 60
RESIZED = 'last=; while :; do now=$(stty size); [ "$now" = "$last" ] || echo $now; last=$now; read -t 1 line && eval $line; done'


class Client:
    """kubectl against the door of one pod."""

    def __init__(self, door: PodDoor, kubeconfig: Path) -> None:
        self.door = door
        self._kubectl = Kubectl(kubeconfig)

    async def start(
        self, *arguments: str, stdin: int = asyncio.subprocess.PIPE, stdout: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """Start it."""
        command = self._kubectl.command(*arguments)
        return await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=stdout, stderr=asyncio.subprocess.PIPE
        )

    async def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """Run it to its end; return its exit code and what it wrote."""
        async with asyncio.timeout(LIMIT_S):
            process = await self.start(*arguments)
            out, err = await process.communicate(stdin)
        return process.returncode or 0, out, err


@contextlib.asynccontextmanager
async def kubectl(
    shim: Cri,
    folder: Path,
    behaviour: Behaviour = SLEEPS,
    *,
    passes_websocket: bool = False,
    **fields: object,
) -> AsyncIterator[Client]:
    """Run a container, and open a door to it."""
    need("kubectl")
    sandbox, container = await shim.run(behaviour, **fields)
    async with pod_door(shim, sandbox, container, folder, passes_websocket=passes_websocket) as (
        door,
        kubeconfig,
    ):
        yield Client(door, kubeconfig)


@contextlib.asynccontextmanager
async def forwarded(client: Client, port: int) -> AsyncIterator[str]:
    """Forward a port while inside; yield the URL of the local end."""
    process = await client.start("port-forward", f"pod/{POD}", f":{port}")
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            line = (await process.stdout.readline()).decode()
        yield f"http://{re.findall(r'127[.]0[.]0[.]1:[0-9]+', line)[0]}/"
    finally:
        process.terminate()
        await process.communicate()


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    said = b""
    while wanted not in said:
        ready, _, _ = select.select([descriptor], [], [], LIMIT_S)
        assert ready, said
        said += os.read(descriptor, 4096)
    return said


@pytest.mark.parametrize("passes_websocket", [False, True], ids=["spdy", "websocket"])
async def test_exec_carries_all_streams_and_the_exit_code(
    shim: Cri, tmp_path: Path, *, passes_websocket: bool
):
    """The end of its input is told, output comes after it, and stderr is apart."""
    async with kubectl(shim, tmp_path, passes_websocket=passes_websocket) as client:
        script = "cat; echo bye >&2; exit 4"
        code, out, err = await client.run("exec", "-i", POD, "--", "sh", "-c", script, stdin=b"hello world")
        assert (code, out) == (4, b"hello world"), err
        assert err.startswith(b"bye\n")
        assert b"exit code 4" in err
        assert client.door.protocols == ["v5.channel.k8s.io" if passes_websocket else "v4.channel.k8s.io"]


@pytest.mark.parametrize("passes_websocket", [False, True], ids=["spdy", "websocket"])
async def test_exec_loses_nothing_of_much(shim: Cri, tmp_path: Path, *, passes_websocket: bool):
    """More than any window or buffer, in both directions at once, and to the last byte."""
    much = os.urandom(64 * 1024) * 128
    async with kubectl(shim, tmp_path, passes_websocket=passes_websocket) as client:
        code, out, err = await client.run("exec", "-i", POD, "--", "cat", stdin=much)
    assert (code, err, out == much) == (0, b"", True)


async def test_a_command_that_does_not_exist_is_told(shim: Cri, tmp_path: Path):
    """In the runtime's words."""
    async with kubectl(shim, tmp_path) as client:
        code, _, err = await client.run("exec", POD, "--", "nonsuch")
    assert code == 1
    assert b'exec: "nonsuch": executable file not found in $PATH' in err


async def test_exec_with_a_terminal_is_resized(shim: Cri, tmp_path: Path):
    """From the first size on, and with each change; a terminal's end of input ends the shell."""
    async with kubectl(shim, tmp_path) as client:
        ours, theirs = pty.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
            process = await client.start(
                "exec", "-it", POD, "--", "sh", "-c", RESIZED, stdin=theirs, stdout=theirs
            )
            said = await asyncio.to_thread(_read_until, ours, b"33 99")
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            process.send_signal(signal.SIGWINCH)
            said += await asyncio.to_thread(_read_until, ours, b"40 120")
            os.write(ours, b"exit 6\n")
            async with asyncio.timeout(LIMIT_S):
                assert await process.wait() == 6, said
        finally:
            os.close(ours)
            os.close(theirs)


async def test_attach_carries_the_first_process(shim: Cri, tmp_path: Path):
    """Its input and its output; it ends with it."""
    behaviour = Behaviour("read line; echo got $line")
    async with kubectl(shim, tmp_path, behaviour, stdin=True, stdin_once=True) as client:
        code, out, err = await client.run("attach", "-i", POD, stdin=b"ping\n")
    assert (code, out) == (0, b"got ping\n"), err


async def test_a_command_ends_with_its_kubectl(shim: Cri, tmp_path: Path):
    """As over WebSocket: it is asked to end when its client is gone."""
    async with kubectl(shim, tmp_path) as client:
        script = "trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done"
        process = await client.start("exec", "-i", POD, "--", "sh", "-c", script)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        process.kill()
        await process.communicate()

        async def is_gone() -> bool:
            listing = await shim.call("ExecSync", container_id=client.door.container, cmd=["ps"])
            return b"echo begun" not in listing.stdout

        await until(is_gone)


@pytest.mark.parametrize("passes_websocket", [False, True], ids=["spdy", "websocket"])
async def test_port_forward_carries_connections_beside_each_other(
    shim: Cri, tmp_path: Path, *, passes_websocket: bool
):
    """To what listens on the pod's own loopback only; many at once, a large answer whole."""
    page = bytes(2 * 1024 * 1024)
    serve = f"head -c {len(page)} /dev/zero >/tmp/index.html; httpd -f -p 127.0.0.1:8080 -h /tmp"
    async with kubectl(shim, tmp_path, Behaviour(serve), passes_websocket=passes_websocket) as client:
        await until(lambda: client.door.fetches("http://127.0.0.1:8080/"))
        async with forwarded(client, 8080) as base, aiohttp.ClientSession() as session:

            async def fetch() -> int:
                async with session.get(base) as answer:
                    return len(await answer.read())

            async with asyncio.timeout(LIMIT_S):
                assert await asyncio.gather(*(fetch() for _ in range(10))) == [len(page)] * 10
        tunnel = "SPDY/3.1+portforward.k8s.io"
        assert client.door.protocols == [tunnel if passes_websocket else "portforward.k8s.io"]


@pytest.mark.parametrize("passes_websocket", [False, True], ids=["spdy", "websocket"])
async def test_port_forward_tells_that_nobody_listens(shim: Cri, tmp_path: Path, *, passes_websocket: bool):
    """By a text on the error stream, which kubectl prints."""
    async with kubectl(shim, tmp_path, passes_websocket=passes_websocket) as client:
        process = await client.start("port-forward", f"pod/{POD}", ":81")
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
        with contextlib.suppress(ProcessLookupError):  # kubectl gives up by itself
            process.terminate()
        _, err = await process.communicate()
    assert b"error forwarding port 81 to pod" in err
    assert b"Connection refused" in err


async def test_ports_are_forwarded_to_a_sandbox_that_runs(shim: Cri):
    """Another one is refused at once, in words."""
    sandbox, _ = await shim.run()
    url = (await shim.call("PortForward", pod_sandbox_id=sandbox)).url
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/portforward/[\w-]{22}", url)
    await shim.call("StopPodSandbox", pod_sandbox_id=sandbox)
    with pytest.raises(RpcError, match="does not run"):
        await shim.call("PortForward", pod_sandbox_id=sandbox)
    with pytest.raises(RpcError, match="not there"):
        await shim.call("PortForward", pod_sandbox_id="0123456789ab")
