"""A cluster that runs, as its supervisor answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kubarium import homes
from kubarium.core.layout import Layout
from kubarium.core.spec import HOLLOW_NODES, ClusterSpec
from kubarium.errors import KubariumError
from kubarium.supervisor.hollow_nodes import powers
from kubarium.supervisor.protocol import call

_KNOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One component's process, as `kubarium ps` shows it."""

    name: str
    state: str  # waiting, starting, ready, paused, backoff, stopped
    pid: int  # 0 where none runs
    uptime_s: float
    restarts: int
    last_exit: str  # "" or how the last process ended


class Running:
    """The way to a cluster's supervisor: what it is asked raises KubariumError where `call` does."""

    def __init__(self, name: str, home: Path | None = None) -> None:
        self.name = name
        self.home = home  # of all clusters; None for the user's
        self.layout: Layout[Path] = homes.layout_of(name, home)

    @property
    def base(self) -> Path:
        """The folder with all clusters."""
        return self.home or homes.default_home()

    def call(self, op: str, *, timeout_s: float = 60.0, **arguments: Any) -> Any:
        """Ask the supervisor for an operation of `kubarium.supervisor.operations`, and return its answer.

        Raises:
            KubariumError: the cluster does not run, its supervisor does not answer, or it refuses and says why.
        """
        try:
            return call(self.layout.control, op, timeout_s=timeout_s, home=str(self.layout.home), **arguments)
        except TimeoutError as error:
            raise KubariumError(
                f'the supervisor of cluster "{self.name}" does not answer; its log is {self.layout.log("supervisor")}'
            ) from error
        except (FileNotFoundError, ConnectionError) as error:
            known = ", ".join(homes.cluster_names(self.home)) or "none"
            raise KubariumError(
                f'cluster "{self.name}" is not running (known: {known}): '
                f"`kubarium up --name {self.name}` starts it"
            ) from error

    def act(self, op: str, component: str, **arguments: Any) -> list[str]:
        """Do something to a component, or to each one of a node; return whom it was done to."""
        return list(self.call(op, component=component, **arguments))

    def is_up(self) -> bool:
        """Whether the supervisor answers.

        Raises:
            KubariumError: a cluster of that name runs here that is another folder's.
        """
        try:
            call(self.layout.control, "spec", timeout_s=_KNOCK_S, home=str(self.layout.home))
        except (OSError, ValueError):
            return False
        return True

    def spec(self) -> ClusterSpec:
        """Return what the cluster is made of now."""
        return msgspec.convert(self.call("spec"), ClusterSpec)

    def processes(self) -> list[ProcessInfo]:
        """List every component and its process."""
        return [ProcessInfo(**row) for row in self.call("ps")]

    def hollow_nodes(self) -> dict[str, str]:
        """Return what each hollow node is at present: on, off, paused, cut; all are off where their process does not run."""
        names = self.spec().hollow_names
        if not any(each.name == HOLLOW_NODES and each.pid for each in self.processes()):
            return dict.fromkeys(names, "off")
        return powers(str(self.layout.health(HOLLOW_NODES)))

    def require(self, components: Sequence[str]) -> None:
        """Check that there are such components or nodes.

        Raises:
            KubariumError: one is not there; the message lists those that are.
        """
        spec = self.spec()
        nodes = [*(node.name for node in spec.nodes), *spec.hollow_names]
        self._check_known(components, [*(process.name for process in self.processes()), *nodes])

    def log_files(self, components: Sequence[str]) -> dict[str, Path]:
        """Return the paths of the log files of some components, or of all and the supervisor's; also of a stopped cluster.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        known = [*self._component_names(), "supervisor"]
        self._check_known(components, known)
        return {component: self.layout.log(component) for component in components or known}

    def _component_names(self) -> list[str]:
        """List the components of a cluster that runs, or those that a stopped one has logs of."""
        if not self.is_up() and self.layout.logs.is_dir():
            return sorted(path.stem for path in self.layout.logs.glob("*.log") if path.stem != "supervisor")
        return [process.name for process in self.processes()]

    def _check_known(self, components: Sequence[str], known: Sequence[str]) -> None:
        for component in components:
            if component not in known:
                raise KubariumError(
                    f'cluster "{self.name}" has no component "{component}" (it has: {", ".join(known)})'
                )
