"""A Docker engine and CNI plugins that exist in the test only, behind the doors by which dockershim reaches the real ones.

The engine keeps what the crash tests look at: containers with their states, names that are taken once, images. It
answers as the real one does where dockershim listens; the same tests run over the real one (tests/shells/dockershim).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from dockershim.engine_connection import EngineCall, Hijacked
from machinery.model.errors import Conflict, InternalError, NotFound

_IMAGE_ID = "sha256:" + "1" * 64


@dataclass(slots=True)
class FakeContainer:
    """One container."""

    id: str
    name: str
    body: dict[str, Any]
    status: str = "created"
    exit_code: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.body.get("Labels") or {})

    async def over(self) -> None:
        """Wait until it does not run."""
        if self.status == "running":
            await self.ended.wait()

    def inspect(self) -> dict[str, Any]:
        """Write what inspect says."""
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Created": "2026-05-01T12:00:00Z",
            "Image": _IMAGE_ID,
            "Config": {"Labels": self.labels, "Tty": False},
            "HostConfig": {},
            "State": {
                "Status": self.status,
                "Pid": 4711 if self.status == "running" else 0,
                "ExitCode": self.exit_code,
                "StartedAt": "2026-05-01T12:00:01Z",
                "FinishedAt": "0001-01-01T00:00:00Z",
            },
        }

    def summary(self) -> dict[str, Any]:
        """Write what a list says."""
        own = {"Id": self.id, "Names": [f"/{self.name}"], "ImageID": _IMAGE_ID, "Created": 1_777_636_800}
        return {**own, "State": self.status, "Labels": self.labels}


class FakeEngine:
    """Implements `dockershim.engine_connection.Connection`."""

    def __init__(self, images: set[str]) -> None:
        self.containers: dict[str, FakeContainer] = {}
        self.images = images
        self.started: list[str] = []  # the names of containers, in the order of their starts
        self.signals: list[tuple[int, str, str]] = []  # when, to which container by its name, which
        self._numbers = count(1)
        self._listeners: set[asyncio.Queue[bytes]] = set()

    async def call(self, call: EngineCall, timeout_s: float | None) -> bytes:
        """Answer, after a turn of the event loop."""
        await asyncio.sleep(0)
        if call.method == "GET":
            found = self._describe(call)
            return b"".join(map(_json, found)) if call.family == "events" else _json(found)
        match (call.method, call.family, call.action):
            case ("POST", "images", "create"):
                self.images.add(f"{call.params['repo']}:{call.params['tag']}")
            case ("POST", "containers", "create"):
                return _json({"Id": self._create(call)})
            case ("POST", "containers", "start"):
                self._start(self._find(call.name))
            case ("POST", "containers", "kill"):
                self._kill(self._find(call.name), call.params["signal"])
            case ("POST", "containers", "wait"):
                await self._find(call.name).over()
            case ("DELETE", "containers", ""):
                self._remove(self._find(call.name))
            case _:
                raise InternalError(f"the fake engine does not know {call.operation}")
        return b""

    def _describe(self, call: EngineCall) -> Any:
        match (call.family, call.action):
            case ("info", ""):
                moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
                return {"CgroupDriver": "cgroupfs", "Runtimes": {"runc": {}}, "SystemTime": moment}
            case ("events", ""):
                return self._kills(call)
            case ("version", ""):
                return {"Version": "20.10.24", "ApiVersion": "1.41", "Arch": "amd64"}
            case ("containers", "json"):
                if call.name:
                    return self._find(call.name).inspect()
                return [found.summary() for found in self._selected(call)]
            case ("images", "json"):
                return {"Id": _IMAGE_ID, "RepoDigests": []}
            case _:
                raise InternalError(f"the fake engine does not know {call.operation}")

    @asynccontextmanager
    async def stream(self, call: EngineCall, timeout_s: float | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the events, or a log, which is empty and ends with its container."""
        if call.family == "events":
            queue: asyncio.Queue[bytes] = asyncio.Queue()
            self._listeners.add(queue)
            try:
                yield _from_queue(queue)
            finally:
                self._listeners.discard(queue)
        else:
            yield self._log(self._find(call.name), follow=call.params["follow"] == "1")

    async def hijack(self, call: EngineCall) -> Hijacked:
        """Refuse."""
        raise InternalError(f"the fake engine does not know {call.operation}")

    async def aclose(self) -> None:
        """Have nothing to close."""

    async def _log(self, container: FakeContainer, *, follow: bool) -> AsyncIterator[bytes]:
        if follow:
            await container.over()
        for piece in ():
            yield piece

    def _kills(self, call: EngineCall) -> list[Any]:
        """List the signals since a moment, for one container."""
        [wanted] = json.loads(call.params["filters"])["container"]
        seconds, _, nanoseconds = call.params["since"].partition(".")
        since_ns = int(seconds) * 10**9 + int(nanoseconds)
        name = self._find(wanted).name
        return [signal for at_ns, who, signal in self.signals if who == name and at_ns >= since_ns]

    def _selected(self, call: EngineCall) -> list[FakeContainer]:
        wanted = [each.split("=", 1) for each in json.loads(call.params["filters"])["label"]]
        return [
            each
            for each in self.containers.values()
            if all(each.labels.get(key) == value for key, value in wanted)
        ]

    def _find(self, wanted: str) -> FakeContainer:
        for found in self.containers.values():
            if wanted == found.name or found.id.startswith(wanted):
                return found
        raise NotFound(f"No such container: {wanted}")

    def _create(self, call: EngineCall) -> str:
        name, body = call.params["name"], json.loads(call.body or b"{}")
        if any(found.name == name for found in self.containers.values()):
            raise Conflict(f"The container name {name} is already in use")
        if body["Image"] not in self.images:
            raise NotFound(f"No such image: {body['Image']}")
        made = FakeContainer(f"{next(self._numbers):064x}", name, body)
        self.containers[made.id] = made
        self._announce("create", made)
        return made.id

    def _start(self, container: FakeContainer) -> None:
        if container.status != "running":
            container.status = "running"
            self.started.append(container.name)
            self._announce("start", container)

    def _kill(self, container: FakeContainer, signal: str) -> None:
        if container.status != "running":
            raise Conflict(f"Container {container.id} is not running")
        self.signals.append((time.time_ns(), container.name, signal))
        if signal == "SIGKILL":
            self._end(container, 137)
        else:  # it tidies up first
            asyncio.get_running_loop().call_later(0.05, self._end, container, 0)

    def _end(self, container: FakeContainer, exit_code: int) -> None:
        if container.status != "running":
            return
        container.status, container.exit_code = "exited", exit_code
        container.ended.set()
        self._announce("die", container)

    def _remove(self, container: FakeContainer) -> None:
        if container.status == "running":
            self._kill(container, "SIGKILL")
        del self.containers[container.id]
        self._announce("destroy", container)

    def _announce(self, action: str, container: FakeContainer) -> None:
        actor = {"ID": container.id, "Attributes": container.labels}
        event = {"Type": "container", "Action": action, "Actor": actor, "timeNano": time.time_ns()}
        for queue in self._listeners:
            queue.put_nowait(_json(event) + b"\n")


class FakePlugins:
    """CNI plugins that keep the addresses, as bridge with host-local does: an address twice for a sandbox is an error."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}  # by sandbox
        self.mapped: set[str] = set()  # sandboxes to which ports of the node lead

    async def run(self, program: str, stdin: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
        """Run one."""
        await asyncio.sleep(0)
        sandbox_id = environment["CNI_CONTAINERID"]
        is_portmap = Path(program).name == "portmap"
        if environment["CNI_COMMAND"] == "CHECK":
            is_there = sandbox_id in (self.mapped if is_portmap else self.addresses)
            return (0, b"") if is_there else (1, _json({"code": 999, "msg": f"{sandbox_id} is not there"}))
        if is_portmap:
            change = self.mapped.discard if environment["CNI_COMMAND"] == "DEL" else self.mapped.add
            change(sandbox_id)
            return 0, _json(json.loads(stdin).get("prevResult", {}))
        if environment["CNI_COMMAND"] == "DEL":
            self.addresses.pop(sandbox_id, None)
            return 0, b""
        if sandbox_id in self.addresses:
            return 1, _json({"msg": f"duplicate allocation is not allowed, {sandbox_id} has an address"})
        free = (f"10.88.9.{last}" for last in range(2, 255))
        self.addresses[sandbox_id] = next(each for each in free if each not in self.addresses.values())
        return 0, _json({"ips": [{"address": f"{self.addresses[sandbox_id]}/24"}]})


async def _from_queue(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await queue.get()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
