"""CRI servers as real processes, and what tests ask of them.

The hollow runtime is told by annotations how a container behaves, dockershim by a command: `Behaviour` has both.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL
from machinery.rpc.channel import Channel
from machinery.rpc.status import NotConnected
from machinery.wire.stubs import Stub, unix_channel
from tests.support.images import build_all
from tests.support.netns import inside
from tests.support.requirements import need
from tests.support.waiting import pause, until

DOCKER = "/var/run/docker.sock"
POD_CIDR = "10.88.5.0/24"
IMAGE = "busybox:1.36"
START_S = 60.0
CALL_S = 120.0
_TURNS = 3  # of the event loop, which sees then that a server has gone while the test stood still
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a container does, for both kinds of runtime."""

    script: str  # sh -c, in a real container
    hollow: dict[str, str] = field(default_factory=dict)  # what the simulated one is told
    memory_bytes: int = 0


SLEEPS = Behaviour("trap 'exit 0' TERM; while :; do sleep 0.05; done")
DEAF = Behaviour("trap '' TERM; while :; do sleep 0.05; done", {"ignore-term": "true"})
DONE = Behaviour("echo done", {"exit-after": "100ms"})
FAILS = Behaviour("exit 3", {"exit-after": "100ms", "exit-code": "3"})
GREEDY = Behaviour("tail /dev/zero", {"oom-after": "100ms"}, memory_bytes=16 * 2**20)
NO_SUCH_COMMAND = Behaviour("", {"start-error": 'exec: "/no/such/command": no such file or directory'})
SHORT = Behaviour("sleep 1.5", {"exit-after": "1500ms"})


class CriServer:
    """One server process with a folder of its own; it can be killed and started again on the same state."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        namespace: str = "",
        docker_socket: str = DOCKER,
        flags: Sequence[str] = (),
    ) -> None:
        self.flags = flags
        self.kind = kind
        self.folder = folder
        self.namespace = namespace
        self.docker_socket = docker_socket
        self.cluster = f"test-{folder.name}"
        self.socket = folder / "cri.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and return when it listens."""
        flags = [f"--socket={self.socket}", f"--state-dir={self.folder / 'state'}", *self.flags]
        command = [sys.executable, "-m", self.kind, *flags]
        if self.kind == "dockershim":
            command += [f"--cluster={self.cluster}", "--node=node-1", f"--docker-socket={self.docker_socket}"]
            command = [
                "nsenter",
                f"--net=/run/netns/{self.namespace}",
                *command,
            ]  # keeps /sys, unlike ip netns exec
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_listening()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """End the process in good order and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(15)

    def _wait_listening(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.kind} did not start:\n{self.log.read_text()}")
            time.sleep(0.01)


@contextlib.contextmanager
def cri_server(kind: str, docker_socket: str = DOCKER) -> Iterator[CriServer]:
    """Run a server; in the end nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="cri-", dir="/tmp"))
    server = CriServer(kind, folder, f"kb-{folder.name}", docker_socket)
    try:
        if kind == "dockershim":
            subprocess.run(["ip", "netns", "add", server.namespace], check=True)
            subprocess.run(["ip", "-n", server.namespace, "link", "set", "lo", "up"], check=True)
        server.start()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError, AssertionError):
            server.stop()
        if kind == "dockershim":
            purge(server)
            subprocess.run(["ip", "netns", "del", server.namespace], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def dockershim_server() -> Iterator[CriServer]:
    """Run dockershim over the machine's engine, with the tests' images there and CNI plugins beside it."""
    need("docker", "cni")
    build_all()
    with cri_server("dockershim") as server:
        yield server


def purge(server: CriServer) -> None:
    """Remove every container of a dockershim, as `kubarium down` does."""
    command = [sys.executable, "-m", "dockershim", "--purge", f"--cluster={server.cluster}"]
    subprocess.run(command, check=True)


class Cri:
    """A client of a server, with the few steps that most tests share."""

    def __init__(self, server: CriServer, channel: Channel) -> None:
        services = cri.DESCRIPTOR.services_by_name
        self.server = server
        self._channel = channel
        self.runtime: Any = Stub(channel, services["RuntimeService"], "runtime.v1.RuntimeService")
        self.images: Any = Stub(channel, services["ImageService"], "runtime.v1.ImageService")

    @property
    def is_real(self) -> bool:
        """Whether containers are real ones."""
        return self.server.kind == "dockershim"

    async def call(self, method: str, **fields: Any) -> Any:
        """Call an RPC of RuntimeService by its name."""
        rpc = getattr(self.runtime, method)
        await self.reach()
        return await rpc(getattr(cri, f"{method}Request")(**fields), timeout=CALL_S)

    async def reach(self) -> None:
        """Wait for a server that is being started again."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        async with WALL.timeout_wall(CALL_S):
            while True:
                with contextlib.suppress(NotConnected):
                    await self._channel.reach(CALL_S)
                    return
                await pause(0.05, "the server may be there by then")

    async def use_pod_range(self, pod_cidr: str = POD_CIDR) -> None:
        """Pass on the node's pod range."""
        config = cri.RuntimeConfig(network_config=cri.NetworkConfig(pod_cidr=pod_cidr))
        await self.call("UpdateRuntimeConfig", runtime_config=config)

    async def have_image(self, name: str = IMAGE) -> None:
        """Make sure that an image is here."""
        spec = cri.ImageSpec(image=name)
        await self.reach()
        status = await self.images.ImageStatus(cri.ImageStatusRequest(image=spec), timeout=CALL_S)
        if not status.image.id:
            await self.images.PullImage(cri.PullImageRequest(image=spec), timeout=CALL_S)

    def sandbox_config(self, behaviour: Behaviour = SLEEPS, **fields: Any) -> Any:
        """Describe a sandbox that nobody else has, whose container `main` behaves so."""
        number = f"{os.getpid()}-{next(_numbers)}"
        prefix = "hollow.kubarium.dev/main."
        meta = cri.PodSandboxMetadata(name=f"pod-{number}", namespace="default", uid=f"uid-{number}")
        base = {
            "metadata": meta,
            "hostname": meta.name,
            "log_directory": str(self.server.folder / "logs" / meta.uid),
            "labels": {"app": "test", "io.kubernetes.pod.uid": meta.uid},
            "annotations": {f"{prefix}{key}": value for key, value in behaviour.hollow.items()},
        }
        return cri.PodSandboxConfig(**{**base, **fields})

    def container_config(self, behaviour: Behaviour = SLEEPS, name: str = "main", **fields: Any) -> Any:
        """Describe a container."""
        command = ["sh", "-c", behaviour.script] if behaviour.script else ["/no/such/command"]
        limits = cri.LinuxContainerResources(memory_limit_in_bytes=behaviour.memory_bytes)
        base = {
            "metadata": cri.ContainerMetadata(name=name),
            "image": cri.ImageSpec(image=IMAGE),
            "command": command,
            "labels": {"io.kubernetes.container.name": name},
            "annotations": {"note": "kept"},
            "log_path": f"{name}/0.log",
            "linux": cri.LinuxContainerConfig(resources=limits),
        }
        return cri.ContainerConfig(**{**base, **fields})

    async def run_sandbox(self, behaviour: Behaviour = SLEEPS, **fields: Any) -> tuple[str, Any]:
        """Run a sandbox; return its id and its configuration."""
        config = self.sandbox_config(behaviour, **fields)
        return (await self.call("RunPodSandbox", config=config)).pod_sandbox_id, config

    async def create(self, sandbox: tuple[str, Any], behaviour: Behaviour = SLEEPS, **fields: Any) -> str:
        """Create a container and return its id."""
        config = self.container_config(behaviour, **fields)
        made = await self.call(
            "CreateContainer", pod_sandbox_id=sandbox[0], config=config, sandbox_config=sandbox[1]
        )
        return str(made.container_id)

    async def run(self, behaviour: Behaviour = SLEEPS, **fields: Any) -> tuple[str, str]:
        """Run a container in a sandbox of its own; return the ids of both."""
        sandbox = await self.run_sandbox(behaviour)
        container = await self.create(sandbox, behaviour, **fields)
        await self.call("StartContainer", container_id=container)
        return sandbox[0], container

    async def status(self, container_id: str) -> Any:
        """Return a container's status."""
        return (await self.call("ContainerStatus", container_id=container_id)).status

    async def sandbox_status(self, sandbox_id: str) -> Any:
        """Return a sandbox's status."""
        return (await self.call("PodSandboxStatus", pod_sandbox_id=sandbox_id)).status

    def in_namespace(self, info: Any) -> socket.socket:
        """Make a socket on the server's network, for aiohttp's connector."""
        return inside(self.server.namespace, lambda: socket.socket(info[0], info[1], info[2]))

    async def ended(self, container_id: str, limit_s: float = 60.0) -> Any:
        """Wait until a container has exited, and return its status."""
        import asyncio

        async with asyncio.timeout(limit_s):
            while (status := await self.status(container_id)).state != cri.CONTAINER_EXITED:
                await asyncio.sleep(0.02)
        return status

    async def heeds_sigterm(self, container_id: str) -> None:
        """Wait until a container's program handles or ignores SIGTERM; a simulated one does so from its start."""
        if self.is_real:
            await until(lambda: self._handles(container_id, signal.SIGTERM))

    async def _handles(self, container_id: str, wanted: signal.Signals) -> bool:
        """Whether a shell of the container does; the first process may be the engine's own."""
        listing = ["sh", "-c", "cat /proc/[0-9]*/status"]
        said = await self.call("ExecSync", container_id=container_id, cmd=listing, timeout=60)
        for process in said.stdout.decode().split("Name:\t")[1:]:
            lines = [line.split(":\t") for line in process.splitlines() if line.startswith("Sig")]
            masks = {name: int(mask, 16) for name, mask in lines if name in {"SigCgt", "SigIgn"}}
            if process.startswith("sh\n") and any(mask & 1 << (wanted - 1) for mask in masks.values()):
                return True
        return False

    async def ends_unseen(self, container_id: str) -> None:
        """Wait until a container that `SHORT` describes has ended, without its server, which has been killed."""
        if not self.is_real:  # it ends by the clock
            await pause(2.0, "longer than it runs")
            return
        with contextlib.closing(docker.from_env()) as engine:
            await until(lambda: engine.containers.get(container_id).status == "exited")

    async def log_lines(self, container_id: str) -> list[str]:
        """Read a container's log, as it is right now."""
        return read_lines((await self.status(container_id)).log_path)


@contextlib.asynccontextmanager
async def connected(server: CriServer) -> AsyncIterator[Cri]:
    """Open a client; what it leaves behind is removed in the end."""
    channel = unix_channel(str(server.socket), WALL)
    client = Cri(server, channel)
    try:
        try:
            yield client
        finally:
            await _remove_all(client)
    finally:
        await channel.close()


def exists(path: str) -> bool:
    """Whether there is a file."""
    return Path(path).exists()


def rotate(path: str) -> str:
    """Rename a log as the kubelet does, and return the new name."""
    return str(Path(path).rename(f"{path}.20260101-000000"))


def read_lines(path: str) -> list[str]:
    """Read a file's lines; none if it is not there yet."""
    return Path(path).read_text().splitlines() if Path(path).exists() else []


async def _remove_all(client: Cri) -> None:
    for sandbox in (await client.call("ListPodSandbox")).items:
        await client.call("RemovePodSandbox", pod_sandbox_id=sandbox.id)
