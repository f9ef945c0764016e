"""Where a cluster keeps its files: names only, so whoever hands in a path decides what can be done with it.

The handle and the supervisor hand in `pathlib.Path`; here a path can be joined and written down, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar


class Joinable(Protocol):
    """A path, as far as names go."""

    def __truediv__(self, name: str, /) -> Self: ...


P = TypeVar("P", bound=Joinable)

SOCKET_PATH_LIMIT = 107  # bytes; sun_path of unix(7)


@dataclass(frozen=True, slots=True)
class Layout(Generic[P]):
    """The folders of one cluster. `run` holds sockets, so its path has to be short."""

    home: P
    run: P

    @property
    def spec(self) -> P:
        """The cluster as the user asked for it."""
        return self.home / "spec.json"

    @property
    def kubeconfig(self) -> P:
        """The administrator's kubeconfig."""
        return self.home / "kubeconfig"

    @property
    def merged(self) -> P:
        """The paths of the user's kubeconfigs that have its contexts, a line each."""
        return self.home / "merged-into"

    @property
    def pki(self) -> P:
        """Keys and certificates."""
        return self.home / "pki"

    @property
    def bootstrap_kubeconfig(self) -> P:
        """The kubeconfig of nodes that have no certificate yet, where there are such."""
        return self.pki / "bootstrap-kubeconfig"

    @property
    def logs(self) -> P:
        """One file a component."""
        return self.home / "logs"

    @property
    def faults(self) -> P:
        """The fault plan that every component reads."""
        return self.home / "faults.json"

    @property
    def control(self) -> P:
        """The supervisor's socket."""
        return self.run / "supervisor"

    @property
    def pids(self) -> P:
        """The processes that the supervisor started, by pid and start time."""
        return self.home / "pids.json"

    def etcd(self, member: str) -> P:
        """An etcd member's copy of the cluster's state."""
        return self.home / member

    @property
    def registry(self) -> P:
        """The images of the cluster's registry, and its configuration."""
        return self.home / "registry"

    @property
    def nodes(self) -> P:
        """The disks of all nodes."""
        return self.home / "nodes"

    def node(self, name: str) -> P:
        """A node's disk."""
        return self.nodes / name

    def identity(self, node: str) -> P:
        """What a node is called for good, and since its last start: machine-id, system-uuid, boot-id."""
        return self.node(node) / "identity"

    def cni(self, node: str) -> P:
        """A node's CNI configurations; the first file by its name counts before the cluster's."""
        return self.node(node) / "net.d"

    def log(self, component: str) -> P:
        """A component's log."""
        return self.logs / f"{component}.log"

    def health(self, component: str) -> P:
        """A component's health socket."""
        return self.run / f"{component}.health"

    def cri(self, node: str) -> P:
        """A node's CRI socket."""
        return self.run / f"{node}.cri"
