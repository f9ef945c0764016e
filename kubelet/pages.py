"""The pages that a kubelet's HTTP server has in Kubernetes, as nodes/proxy shows them.

What the server of a real kubelet has beyond that says that it is not built; everything else is not found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from kubelet.core.eviction.usage import PodDisk
from kubelet.core.node_status import Machine
from kubelet.core.node_summary import (
    NodeUsage,
    VolumeUsage,
    cadvisor_metrics,
    resource_metrics,
    running_pod,
    summary,
)
from kubelet.local_volumes import LocalVolumes
from machinery.model.errors import (
    BadRequest,
    MethodNotSupported,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.node_folders import FOLDERS, folder_of
from machinery.model.node_network import NETWORK
from machinery.process.z_pages import FLAGS, STATUS, ZPages

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAMES_OF_A_CONTAINER: Final = 3
_PIECE: Final = 64 * 1024  # bytes
_UNBUILT: Final = frozenset(
    {
        "cri",
        "debug",
        "metrics/slis",
    }
)


class StatsRuntime(Protocol):
    """What this needs of the CRI client."""

    async def sandbox_stats(self) -> Iterable[Any]:
        """Return what each pod of the node uses, as CRI's PodSandboxStats."""
        ...

    async def image_fs(self) -> Iterable[Any]:
        """Return what the images take, as CRI's FilesystemUsage."""
        ...

    async def checkpoint_container(self, container_id: str, location: str) -> None:
        """Write the state of a container's processes to a file."""
        ...


async def no_network(_path: str) -> bytes:
    """Refuse to say what the node's network is like.

    Raises:
        NotImplementedHere: always.
    """
    raise NotImplementedHere("this kubelet does not look at its node's network")


async def nothing_written() -> Mapping[str, PodDisk]:
    """Return that nothing is known of what pods have written."""
    return {}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    content_type: str
    body: bytes | Path  # or the file that has it


@dataclass(frozen=True, slots=True)
class Pages:
    """All pages of one kubelet."""

    node_name: str
    started: str  # when the kubelet began, as objects carry times
    configuration: dict[str, Any]
    logs: Path
    runtime: StatsRuntime
    pods: Callable[[], Iterable[Pod]]
    metrics: Callable[[], str]
    usage: Callable[[], NodeUsage]  # of the node in all
    probe_metrics: Callable[[], str]
    machine: Machine
    local_volumes: LocalVolumes
    checkpoints: Path  # the folder of the files that containers' states are written to
    now: Callable[[], str]  # the time, as objects carry it
    z_pages: ZPages
    volumes: Callable[[], Iterable[VolumeUsage]] = tuple  # those of the pods that claims stand for
    disks: Callable[[], Awaitable[Mapping[str, PodDisk]]] = nothing_written  # what pods have written, by uid
    network: Callable[[str], Awaitable[bytes]] = no_network  # a page about the node's network, as JSON

    async def page(self, method: str, path: str) -> Page:
        """Return a page; its path is decoded.

        Raises:
            NotFound: there is none.
            NotImplementedHere: a kubelet of Kubernetes has it.
            MethodNotSupported: it can only be read.
            BadRequest: it is about a folder that no volume can have.
            Unavailable: a folder cannot be made or removed now.
        """
        name = path.strip("/")
        root = name.partition("/")[0]
        if root == FOLDERS:
            return await self._folders(method, name)
        if root == "checkpoint":
            return await self._checkpoint(method, name.split("/")[1:])
        known: dict[str, Callable[[], Awaitable[Page]]] = {
            "healthz": self._healthy,
            "healthz/ping": self._healthy,
            "metrics": self._own_metrics,
            "metrics/cadvisor": self._cadvisor_metrics,
            "metrics/probes": self._probe_metrics,
            "metrics/resource": self._resource_metrics,
            "stats/summary": self._summary,
            "pods": self._pods,
            "runningpods": self._running_pods,
            "configz": self._configz,
            STATUS: self._status,
            FLAGS: self._flags,
        }
        if (name in _UNBUILT or root in _UNBUILT) and name not in known:
            raise NotImplementedHere(f"/{name} of the kubelet is not built")
        if name not in known and root not in {"logs", NETWORK}:
            raise NotFound("404 page not found")
        if method not in {"GET", "HEAD"}:
            raise MethodNotSupported(f"/{name} of the kubelet can only be read")
        if root == NETWORK:
            return Page(_JSON, await self.network(name))
        return await known[name]() if name in known else await asyncio.to_thread(self._log, path)

    async def _folders(self, method: str, path: str) -> Page:
        """Return which folders are volumes; make or remove one."""
        try:
            name = folder_of(path)
        except ValueError as error:
            raise BadRequest(str(error)) from error
        folders = self.local_volumes
        try:
            match bool(name), method:
                case False, "GET" | "HEAD":
                    pass
                case True, "POST":
                    await asyncio.to_thread(folders.make, name)
                case True, "DELETE":
                    await asyncio.to_thread(folders.remove, name)
                case _:
                    raise MethodNotSupported(f"/{path} of the kubelet does not take {method}")
            return Page(_JSON, msgspec.json.encode(await asyncio.to_thread(folders.all)))
        except OSError as error:
            raise Unavailable(f"the folder of volume {name} on node {self.node_name}: {error}") from error

    async def _checkpoint(self, method: str, names: list[str]) -> Page:
        """Have the runtime write a container's state to a file: POST /checkpoint/NAMESPACE/POD/CONTAINER.

        https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/
        """
        if len(names) != _NAMES_OF_A_CONTAINER:
            raise NotFound("404 page not found")
        if method != "POST":
            raise MethodNotSupported(f"/checkpoint of the kubelet does not take {method}")
        namespace, name, container = names
        pod = next(
            (
                each
                for each in self.pods()
                if (each.metadata.namespace, each.metadata.name) == (namespace, name)
            ),
            None,
        )
        if pod is None:
            raise NotFound("pod does not exist")
        status = pod.status
        every = (*status.containerStatuses, *status.initContainerStatuses, *status.ephemeralContainerStatuses)
        found = next((each for each in every if each.name == container and each.containerID), None)
        if found is None:
            raise NotFound(f"container {container} does not exist")
        moment = self.now()
        location = self.checkpoints / f"checkpoint-{name}_{namespace}-{container}-{moment}.tar"
        await asyncio.to_thread(self.checkpoints.mkdir, parents=True, exist_ok=True)
        try:
            await self.runtime.checkpoint_container(found.containerID.rpartition("/")[2], str(location))
        except NotImplementedHere as error:
            text = f"checkpointing of {namespace}/{name}/{container} failed ({error.message})"
            raise NotImplementedHere(text) from error
        return Page(_JSON, msgspec.json.encode({"items": [str(location)]}))

    async def _healthy(self) -> Page:
        return Page(_TEXT, b"ok")

    async def _own_metrics(self) -> Page:
        return Page(_METRICS, self.metrics().encode())

    async def _resource_metrics(self) -> Page:
        stats = await self.runtime.sandbox_stats()
        return Page(_METRICS, resource_metrics(stats, self.usage(), self.pods()).encode())

    async def _cadvisor_metrics(self) -> Page:
        stats, machine = await self.runtime.sandbox_stats(), self.machine
        return Page(_METRICS, cadvisor_metrics(stats, machine.cpu_millicores, machine.memory_bytes).encode())

    async def _probe_metrics(self) -> Page:
        return Page(_METRICS, self.probe_metrics().encode())

    async def _running_pods(self) -> Page:
        """Return the pods whose containers run, with no more than a runtime knows of them."""
        found = [running for pod in self.pods() if (running := running_pod(pod)) is not None]
        listed = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": found}
        return Page(_JSON, msgspec.json.encode(listed))

    async def _summary(self) -> Page:
        stats, images = await self.runtime.sandbox_stats(), await self.runtime.image_fs()
        written = await self.disks()
        found = summary(self.node_name, self.started, stats, self.usage(), images, self.volumes(), written)
        return Page(_JSON, msgspec.json.encode(found))

    async def _pods(self) -> Page:
        found = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(self.pods())}
        return Page(_JSON, msgspec.json.encode(found))

    async def _status(self) -> Page:
        return Page(_TEXT, self.z_pages.status_text().encode())

    async def _flags(self) -> Page:
        return Page(_TEXT, self.z_pages.flags_text().encode())

    async def _configz(self) -> Page:
        return Page(_JSON, msgspec.json.encode({"kubeletconfig": self.configuration}))

    def _log(self, path: str) -> Page:
        """Return a log of the node's pods, or the list of a folder: /logs/pods/<namespace>_<pod>_<uid>/<container>."""
        parts = [part for part in path.split("/") if part]
        if parts == ["logs"]:
            return _listing(["pods/"])
        if parts[1] != "pods":
            raise NotFound("404 page not found")
        root = self.logs.resolve()
        try:
            found = root.joinpath(*parts[2:]).resolve()
            if not found.is_relative_to(root):
                raise NotFound("404 page not found")
            if found.is_dir():
                return _listing(each.name + "/" * each.is_dir() for each in found.iterdir())
            if found.is_file():
                return Page(_TEXT, found)
        except (OSError, ValueError) as error:
            raise NotFound(f"404 page not found: {error}") from error
        raise NotFound("404 page not found")


async def pieces(page: Page) -> AsyncIterator[bytes]:
    """Yield what a page says, in pieces; a file as far as it is written now."""
    if isinstance(page.body, bytes):
        for start in range(0, max(1, len(page.body)), _PIECE):
            yield page.body[start : start + _PIECE]
        return
    with await asyncio.to_thread(page.body.open, "rb") as file:
        while data := await asyncio.to_thread(file.read, _PIECE):
            yield data


def _listing(names: Iterable[str]) -> Page:
    lines = [f'<a href="{quote(name)}">{escape(name)}</a>\n' for name in sorted(names)]
    return Page(_HTML, f"<pre>\n{''.join(lines)}</pre>\n".encode())
