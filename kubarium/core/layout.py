"""Where a cluster keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 107  # bytes; sun_path of unix(7)


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one cluster. `run` holds sockets, so its path has to be short."""

    home: Path
    run: Path

    @property
    def spec(self) -> Path:
        """The cluster as the user asked for it."""
        return self.home / "spec.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.home / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.home / "pki"

    @property
    def logs(self) -> Path:
        """One file a component."""
        return self.home / "logs"

    @property
    def faults(self) -> Path:
        """The fault plan that every component reads."""
        return self.home / "faults.json"

    @property
    def control(self) -> Path:
        """The supervisor's socket."""
        return self.run / "supervisor"

    @property
    def pids(self) -> Path:
        """The processes that the supervisor started, by pid and start time."""
        return self.home / "pids.json"

    def etcd(self, member: str) -> Path:
        """An etcd member's copy of the cluster's state."""
        return self.home / member

    def node(self, name: str) -> Path:
        """A node's disk."""
        return self.home / "nodes" / name

    def log(self, component: str) -> Path:
        """A component's log."""
        return self.logs / f"{component}.log"

    def health(self, component: str) -> Path:
        """A component's health socket."""
        return self.run / f"{component}.health"

    def cri(self, node: str) -> Path:
        """A node's CRI socket."""
        return self.run / f"{node}.cri"
