"""Pods on the node's network, by the real CNI plugins, in the network namespace that this process runs in.

The pod range is kept in the state folder; so is, for every sandbox whose network stands, what the plugins gave it.
A sandbox without addresses there is not connected: whoever was killed half-way through ADD does DEL and ADD again.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import shutil
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dockershim.core import cni
from dockershim.notes import Notes
from dockershim.seam_plugins import RunPlugin
from machinery.model.clock import Clock
from machinery.model.errors import (
    BadRequest,
    InternalError,
    NotImplementedHere,
    Unavailable,
)

_JOIN_S: Final = 5.0  # wall seconds, as all here
_LOOK_S: Final = 0.002
_SIOCGIFMTU: Final = 0x8921
_PLUGINS: Final = ("bridge", "host-local")


class Network:
    """Connects sandboxes and disconnects them. Both are idempotent."""

    def __init__(
        self, state_dir: str, plugin_folders: Sequence[str], clock: Clock, run_plugin: RunPlugin
    ) -> None:
        self._clock = clock
        self._run_plugin = run_plugin
        self._folders = [folder for folder in plugin_folders if Path(folder).is_dir()]
        self._data = Path(state_dir) / "cni"
        self._settings = Notes(Path(state_dir) / "settings")
        self._connected = Notes(Path(state_dir) / "network")

    @property
    def pod_cidr(self) -> str:
        """The node's pod range; "" until the kubelet has told it."""
        return str(self._settings.get("network").get("pod_cidr", ""))

    def configure(self, pod_cidr: str) -> None:
        """Remember the node's pod range: one network, or an IPv4 and an IPv6 one with a comma.

        Raises:
            BadRequest: it is no network, or one without room for a pod.
        """
        try:
            networks = [ipaddress.ip_network(part) for part in pod_cidr.split(",")]
        except ValueError as error:
            raise BadRequest(f"pod_cidr {pod_cidr!r}: {error}") from error
        if any(network.num_addresses < 4 for network in networks):
            raise BadRequest(f"pod_cidr {pod_cidr!r} has no room for a gateway and a pod")
        self._settings.put("network", {"pod_cidr": pod_cidr})

    def problem(self) -> str:
        """Return why pods cannot be connected; "" if they can."""
        missing = [name for name in _PLUGINS if not self._find(name)]
        if missing:
            return f"the CNI plugins {', '.join(missing)} are not installed (package containernetworking-plugins)"
        return "" if self.pod_cidr else "no pod range is known yet (UpdateRuntimeConfig gives it)"

    def require_ready(self) -> None:
        """Raise Unavailable where pods cannot be connected."""
        if why := self.problem():
            raise Unavailable(f"the network is not ready: {why}")

    def is_connected(self, sandbox_id: str) -> bool:
        """Whether a sandbox has its network."""
        note = self._connected.get(sandbox_id)
        return bool(note.get("host") or note.get("addresses"))

    def addresses(self, sandbox_id: str) -> tuple[str, ...]:
        """Return a sandbox's addresses, the first one first."""
        return tuple(self._connected.get(sandbox_id).get("addresses", ()))

    async def connect(self, sandbox_id: str, pid: int, port_mappings: Sequence[Any]) -> tuple[str, ...]:
        """Connect a sandbox and return its addresses, the first one first.

        Raises:
            BadRequest: a port mapping has a port, an address or a protocol that is none.
            InternalError: a plugin refuses, and why.
            NotImplementedHere: a plugin is not installed.
            DeadlineExceeded: a plugin does not end.
        """
        netns, ports = f"/proc/{pid}/ns/net", cni.port_mappings(port_mappings)
        if ports:  # so that whoever comes after a kill takes the rules away
            self._connected.put(sandbox_id, {"ports": ports})
        result = await self._plugin("ADD", self._bridge(), sandbox_id, netns)
        if ports:
            await self._plugin("ADD", cni.portmap_config(ports, result), sandbox_id, netns)
        addresses = cni.result_addresses(result)
        self._connected.put(sandbox_id, {"addresses": addresses, "ports": ports})
        return addresses

    def note_host_network(self, sandbox_id: str) -> None:
        """Remember that a sandbox is on the node's network."""
        self._connected.put(sandbox_id, {"host": True})

    async def disconnect(self, sandbox_id: str, pid: int) -> None:
        """Remove a sandbox's interface and addresses; `pid` is 0 if its processes are gone.

        Raises:
            InternalError: a plugin refuses, and why.
            NotImplementedHere: a plugin is not installed any more.
            DeadlineExceeded: a plugin does not end.
        """
        note = self._connected.get(sandbox_id)
        if not note.get("host") and self.pod_cidr:
            netns = f"/proc/{pid}/ns/net" if pid else ""
            if ports := note.get("ports"):
                await self._plugin("DEL", cni.portmap_config(ports, None), sandbox_id, netns)
            await self._plugin("DEL", self._bridge(), sandbox_id, netns)
        self._connected.remove(sandbox_id)

    async def sweep(self, sandbox_ids: set[str]) -> list[str]:
        """Free what sandboxes that are no more have left, and return which they were.

        Raises:
            InternalError, NotImplementedHere, DeadlineExceeded: as `disconnect`; the rest is left for the next time.
        """
        gone = [known for known in self._connected.names() if known not in sandbox_ids]
        for sandbox_id in gone:
            await self.disconnect(sandbox_id, 0)
        return gone

    async def joined(self, pid: int) -> None:
        """Wait until a sandbox for the node's network has entered it.

        Raises:
            InternalError: it has not, in time.
        """
        own, patience = _namespace("self"), self._clock.timeout_wall(_JOIN_S)
        try:
            async with patience:
                while (inode := _namespace(str(pid))) != own:
                    if not inode:
                        raise InternalError("the sandbox ended while it entered the node's network")
                    await self._clock.sleep_wall(_LOOK_S)
        except TimeoutError as error:
            raise InternalError("the sandbox did not enter the node's network namespace") from error

    def _bridge(self) -> dict[str, Any]:
        return cni.bridge_config(self.pod_cidr, str(self._data), interface_mtu(cni.INTERFACE))

    def _find(self, plugin: str) -> str:
        return shutil.which(plugin, path=os.pathsep.join(self._folders)) or ""

    async def _plugin(
        self, command: str, config: dict[str, Any], sandbox_id: str, netns: str
    ) -> dict[str, Any]:
        name = str(config["type"])
        program = self._find(name)
        if not program:
            raise NotImplementedHere(
                f"the CNI plugin {name} is not installed (package containernetworking-plugins)"
            )
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),  # portmap calls iptables
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": sandbox_id,
            "CNI_NETNS": netns,
            "CNI_IFNAME": cni.INTERFACE,
            "CNI_PATH": os.pathsep.join(self._folders),
        }
        code, output = await self._run_plugin(program, json.dumps(config).encode(), environment)
        try:
            answer: dict[str, Any] = json.loads(output) if output.strip() else {}
        except ValueError:
            answer = {"msg": output.decode(errors="replace").strip()}
        if code:
            raise InternalError(
                f"CNI plugin {name}: {command} for {sandbox_id[:12]}: {cni.error_text(answer) or f'it ended with {code}'}"
            )
        return answer


def _namespace(process: str) -> int:
    """Return the number of a process's network namespace; 0 if there is no such process."""
    try:
        return Path(f"/proc/{process}/ns/net").stat().st_ino
    except OSError:
        return 0


def interface_mtu(name: str) -> int:
    """Return the MTU of an interface of the node; 0 if it has no such interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFMTU, struct.pack("16si", name.encode(), 0) + bytes(20))
        except OSError:
            return 0
    return int(struct.unpack("16si", answer[:20])[1])
