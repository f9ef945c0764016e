"""What the machine allows: asked once, after the engine has answered.

An engine that lacks capabilities (a container, a rootless one) can give them to no container: those that want them, and
privileged ones, get what it has. Without CAP_SYS_RESOURCE it cannot lower an oom_score_adj below its own, either. The log
says so once, and Status on request.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dockershim.core.capabilities import lacking, to_drop_from_all
from dockershim.core.host_config import Host
from dockershim.docker import Engine
from machinery.model.log import EventLog

_RESOURCE: Final = "SYS_RESOURCE"
_LOWEST: Final = -1000
_DEVICES: Final = Path("/dev")
_NOT_DEVICES: Final = {"pts", "shm", "fd", "mqueue", "console"}  # every container has its own


class HostFacts:
    """Learns about the engine's machine at first need."""

    def __init__(self, engine: Engine, docker_socket: str, log: EventLog) -> None:
        self._engine = engine
        self._socket = docker_socket
        self._log = log
        self._known: Host | None = None

    async def get(self) -> Host:
        """Return what the machine allows; asked of the engine until it has answered once.

        Raises:
            Unavailable: the engine does not answer.
        """
        if self._known is None:
            info = await self._engine.info()
            pid = _engine_pid(self._socket)
            missing = missing_capabilities(pid)
            floor = least_oom_score(pid) if _RESOURCE in missing else _LOWEST
            left_out: tuple[str, ...] = ()
            if missing:
                left_out = to_drop_from_all(missing, str((await self._engine.version())["ApiVersion"]))
                self._log.warning(
                    "engine_lacks_capabilities", missing=",".join(missing), least_oom_score=floor
                )
            self._known = Host(
                least_oom_score=floor,
                systemd_cgroups=info.get("CgroupDriver") == "systemd",
                unified_cgroups=info.get("CgroupVersion") == "2",
                runtimes=tuple(info.get("Runtimes") or {}),
                missing_capabilities=missing,
                left_out=left_out,
                devices=tuple(device_files(_DEVICES)) if left_out else (),
            )
        return self._known


def missing_capabilities(pid: int) -> tuple[str, ...]:
    """Return which capabilities a process lacks; none where /proc does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    except (OSError, ValueError):
        return ()
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "")
    return lacking(int(effective, 16), last) if effective else ()


def least_oom_score(pid: int) -> int:
    """Return the least oom_score_adj that a process without CAP_SYS_RESOURCE can set for its children."""
    try:
        return min(0, int(Path(f"/proc/{pid}/oom_score_adj").read_text()))
    except (OSError, ValueError):
        return _LOWEST


def device_files(folder: Path) -> Iterator[str]:
    """Yield the paths of all device files below a folder."""
    for entry in os.scandir(folder):
        if entry.name in _NOT_DEVICES:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from device_files(Path(entry.path))
        elif (mode := entry.stat(follow_symlinks=False).st_mode) and (
            stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        ):
            yield entry.path


def _engine_pid(path: str) -> int:
    """Return which process listens on the engine's socket (its pid as this machine counts)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.settimeout(1)
            probe.connect(path)
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0
    return int(struct.unpack("3i", credentials)[0])
