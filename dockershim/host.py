"""What the machine allows: asked once, after the engine has answered.

Without CAP_SYS_RESOURCE the engine cannot lower an oom_score_adj below its own, and its containers would not start.
They get the least that it can give, and the log says so once.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Final

from dockershim.core.host_config import Host
from dockershim.docker import Engine
from machinery.model.log import EventLog

_CAP_SYS_RESOURCE: Final = 24
_LOWEST: Final = -1000


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
            floor = least_oom_score(_engine_pid(self._socket))
            if floor > _LOWEST:
                self._log.warning(
                    "oom_scores_are_clamped",
                    least=floor,
                    reason="the Docker engine lacks CAP_SYS_RESOURCE and cannot protect a container from the OOM killer",
                )
            self._known = Host(
                floor, info.get("CgroupDriver") == "systemd", tuple(info.get("Runtimes") or {})
            )
        return self._known


def least_oom_score(pid: int) -> int:
    """Return the least oom_score_adj that a process can set for its children; -1000 where /proc does not say."""
    process = Path("/proc") / str(pid)
    try:
        status = (process / "status").read_text()
        own = int((process / "oom_score_adj").read_text())
    except (OSError, ValueError):
        return _LOWEST
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return _LOWEST if int(effective, 16) >> _CAP_SYS_RESOURCE & 1 else min(0, own)


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
