"""Pods on the node's network, by the real CNI plugins, in the network namespace that this process runs in.

The pod range is kept in the state folder; so is, for every sandbox, the configuration that it was added by, and then what
the plugins gave it. A sandbox without addresses there is not connected: whoever was killed half-way through ADD does DEL
and ADD again. DEL is by the configuration of ADD, whatever the file says by then.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from dockershim.cni_chain import Attachment, Chain, PluginError
from dockershim.cni_files import current_conf
from dockershim.core import cni
from dockershim.core.cni_conf import ConfError, NetworkConf, noted, variables
from dockershim.notes import Notes
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


class Network:
    """Connects sandboxes and disconnects them. Both are idempotent."""

    def __init__(
        self, state_dir: str, conf_folders: Sequence[str], conf_file: str, clock: Clock, chain: Chain
    ) -> None:
        self._clock = clock
        self._chain = chain
        self._conf_folders = conf_folders
        self._conf_file = conf_file
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
        if not self.pod_cidr:
            return "no pod range is known yet (UpdateRuntimeConfig gives it)"
        try:
            missing = self._chain.missing(self._conf())
        except ConfError as error:
            return str(error)
        if missing:
            return f"the CNI plugins {', '.join(missing)} are not installed (package containernetworking-plugins)"
        return ""

    def require_ready(self) -> None:
        """Raise Unavailable where pods cannot be connected."""
        if why := self.problem():
            raise Unavailable(f"the network is not ready: {why}")

    def is_connected(self, sandbox_id: str) -> bool:
        """Whether a sandbox has its network, as far as is known."""
        note = self._connected.get(sandbox_id)
        return bool(note.get("host") or note.get("addresses")) and not note.get("broken")

    def addresses(self, sandbox_id: str) -> tuple[str, ...]:
        """Return a sandbox's addresses, the first one first."""
        return tuple(self._connected.get(sandbox_id).get("addresses", ()))

    async def connect(self, sandbox_id: str, pid: int, config: Any) -> tuple[str, ...]:
        """Connect a sandbox as its configuration wishes, by the plugins of the moment; return its addresses, the first one first.

        Raises:
            BadRequest: a port mapping or a rate cannot be.
            InternalError: the CNI configuration describes no network, or a plugin refuses, and why.
            NotImplementedHere: a plugin is not installed, or none does what the pod wishes.
            DeadlineExceeded: a plugin does not end.
        """
        try:
            conf = self._conf()
        except ConfError as error:
            raise InternalError(str(error)) from error
        wishes = cni.wishes(config)
        if unmet := conf.unmet(wishes):
            raise NotImplementedHere(
                f"the pod needs a CNI plugin with the capability {unmet[0]}, and {conf.source} has none"
            )
        attachment = Attachment(conf, sandbox_id, _netns(pid), wishes, cni.pod_arguments(config))
        note = {"conf": conf.note(), "wishes": wishes, "arguments": attachment.arguments}
        self._connected.put(sandbox_id, note)  # so that whoever comes after a kill takes away what was added
        result = await self._chain.add(attachment)
        addresses = cni.result_addresses(result)
        self._connected.put(sandbox_id, {**note, "addresses": addresses, "result": result})
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
        if "conf" in note:
            await self._chain.delete(_attachment(sandbox_id, pid, note), note.get("result"))
        self._connected.remove(sandbox_id)

    async def sweep(self, sandbox_ids: set[str]) -> list[str]:
        """Free what sandboxes that are no more have left, and return which they were.

        Plugins that know GC are then told who is still there.

        Raises:
            InternalError, NotImplementedHere, DeadlineExceeded: as `disconnect`; the rest is left for the next time.
        """
        gone = [known for known in self._connected.names() if known not in sandbox_ids]
        for sandbox_id in gone:
            await self.disconnect(sandbox_id, 0)
        with suppress(ConfError):  # Status says so
            if self.pod_cidr and (conf := self._conf()).has_gc:
                await self._chain.collect(conf, self.checkable())
        return gone

    def checkable(self) -> list[str]:
        """List the sandboxes that plugins have connected."""
        return [known for known in self._connected.names() if "result" in self._connected.get(known)]

    def results(self) -> dict[str, Mapping[str, Any]]:
        """Return what the plugins answered for each of them."""
        return {known: self._connected.get(known)["result"] for known in self.checkable()}

    async def check(self, sandbox_id: str, pid: int) -> str:
        """Ask the plugins whether a sandbox's network is as they made it; return why it is not, or "".

        One that is broken does not count as connected from then on.

        Raises:
            InternalError: a plugin could not say.
            NotImplementedHere: a plugin is not installed any more.
            DeadlineExceeded: a plugin does not end.
        """
        note = self._connected.get(sandbox_id)
        attachment = _attachment(sandbox_id, pid, note)
        if not attachment.conf.has_check:
            return ""
        try:
            await self._chain.check(attachment, note["result"])
        except PluginError as error:
            if not cni.is_broken(error.plugin_code):
                raise
            self._connected.put(sandbox_id, {**note, "broken": error.message})
            return error.message
        return ""

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

    def _conf(self) -> NetworkConf:
        known = variables(self.pod_cidr, str(self._data), interface_mtu(cni.INTERFACE))
        return current_conf(self._conf_folders, self._conf_file, known)


def _attachment(sandbox_id: str, pid: int, note: Mapping[str, Any]) -> Attachment:
    return Attachment(noted(note["conf"]), sandbox_id, _netns(pid), note["wishes"], note["arguments"])


def _netns(pid: int) -> str:
    return f"/proc/{pid}/ns/net" if pid else ""


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
