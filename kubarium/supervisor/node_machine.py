"""A node as a machine: what happens beside its processes when it is switched off, frozen and switched on.

The supervisor ends, stops and starts the processes themselves. A machine that is off has no running container, no memory
(what its kubelet keeps in tmpfs: `emptyDir` with `medium: Memory`, secrets, tokens) and no network; its disk stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubarium.core.layout import Layout
from kubarium.core.places import Places
from kubarium.core.spec import NodeSpec
from kubarium.host import network
from kubarium.host.mounts import unmount_below
from kubarium.identity.node_identity import NodeIdentity
from kubarium.supervisor.machines import admit_cgroup, freeze_cgroup, kill_cgroup, thaw_cgroup


@dataclass(frozen=True, slots=True)
class NodeMachine:
    """One node of a cluster whose processes run on this machine; without isolation it has no more than an identity.

    Every method raises KubariumError where the cable or a mount does not obey, and OSError where the disk does not.
    """

    node: NodeSpec
    places: Places
    layout: Layout[Path]

    def switch_on(self) -> None:
        """Switch it on: cable, cgroup, boot id. Idempotent: one that is on stays as it is."""
        self._identity.ensure()
        if self._is_isolated:
            admit_cgroup(self._cgroup)
            self._plug(plugged=True)

    def switch_off(self) -> None:
        """Lose everything but the disk. Its own processes have ended already."""
        if self._is_isolated:
            kill_cgroup(self._cgroup)
            self._plug(plugged=False)
            unmount_below(self.layout.node(self.node.name))
        self._identity.start_anew()

    def freeze(self) -> None:
        """Stop its containers where they are, and answer nothing. Its own processes are stopped already."""
        if self._is_isolated:
            freeze_cgroup(self._cgroup)
            self._plug(plugged=False)

    def unplug(self) -> None:
        """Pull its cable, where it has one; `thaw` plugs it in again."""
        if self._is_isolated:
            self._plug(plugged=False)

    def thaw(self) -> None:
        """Resume its containers, before its own processes."""
        if self._is_isolated:
            self._plug(plugged=True)
            thaw_cgroup(self._cgroup)

    def scrap(self) -> None:
        """Remove it from the cluster for good: its containers die, its network goes."""
        if self._is_isolated:
            kill_cgroup(self._cgroup)
            network.remove_node(self.places.addresses, self.node)

    @property
    def _is_isolated(self) -> bool:
        return self.places.spec.isolated

    @property
    def _cgroup(self) -> str:
        return f"{self.places.cgroup_root}/{self.node.name}"

    @property
    def _identity(self) -> NodeIdentity:
        return NodeIdentity(self.layout.identity(self.node.name))

    def _plug(self, *, plugged: bool) -> None:
        network.plug_node(self.places.addresses, self.node, plugged=plugged)
