"""What the handle may ask of the supervisor, one method an operation."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from kubarium.core.components import node_parts
from kubarium.core.layout import Layout
from kubarium.core.places import Places
from kubarium.core.spec import HOLLOW_NODES, ClusterSpec
from kubarium.core.spec_rules import SpecError
from kubarium.core.supervision import Phase, Supervised, stop_order
from kubarium.errors import KubariumError
from kubarium.host import network
from kubarium.identity.pki import Pki, ensure_certificates
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.hollow_nodes import order
from kubarium.supervisor.loading import ensure_loaded
from kubarium.supervisor.node_machine import NodeMachine
from kubarium.supervisor.protocol import Request
from machinery.process.clock import WALL

STOP_PATIENCE_S = 12.0  # a component drains for 10 s at most
_KILL_PATIENCE_S = 5.0


class Operations:
    """Carries out requests on one cluster. Raises KubariumError with words for the user."""

    def __init__(
        self, daemon: Daemon, spec: ClusterSpec, layout: Layout[Path], places: Callable[[ClusterSpec], Places]
    ) -> None:
        self._daemon = daemon
        self._processes = daemon.processes
        self._spec = spec
        self._layout = layout
        self._places = places
        names = (
            "ps",
            "kill",
            "pause",
            "cut",
            "resume",
            "restart",
            "stop",
            "node_add",
            "node_rm",
            "down",
            "halt",
            "spec",
        )
        daemon.operations = {name: getattr(self, name) for name in names}

    def spec(self, _: Request) -> Any:
        """Return the cluster's spec."""
        return msgspec.to_builtins(self._spec)

    def ps(self, _: Request) -> list[dict[str, Any]]:
        """List every component and its process."""
        return [_row(process) for process in self._processes.table.values()]

    def kill(self, request: Request) -> list[str]:
        """Send SIGKILL; the component stays down unless `restart` is set. A node is switched off as a machine.

        Raises:
            KubariumError: there is no such component.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "restart" if request.restart else "kill")
        names, node = self._resolve(request.component)
        comes_back = request.restart
        for name in names:
            if not comes_back:
                self._processes.stop(name, signal.SIGKILL, "killed by the user")
            self._processes.send(name, signal.SIGKILL, group=bool(node))
        if node or not comes_back:
            self._wait_gone(names, _KILL_PATIENCE_S)
        if node:
            self._machine(node).switch_off()
            if comes_back:
                self._machine(node).switch_on()
        return names

    def stop(self, request: Request) -> list[str]:
        """Send SIGTERM, and wait; the component stays down. A node is shut down as a machine.

        Raises:
            KubariumError: there is no such component.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "kill")
        names, node = self._resolve(request.component)
        self._stop(names, "stopped by the user")
        if node:
            self._machine(node).switch_off()
        return names

    def pause(self, request: Request) -> list[str]:
        """Send SIGSTOP: the process is there and silent. Of a node the containers stop as well.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "pause")
        names, node = self._resolve(request.component)
        self._signal(names, signal.SIGSTOP, paused=True)
        if node:
            self._machine(node).freeze()
        return names

    def cut(self, request: Request) -> list[str]:
        """Cut a node off from the network: everything on it goes on. `resume` joins it again.

        Raises:
            KubariumError: there is no such node, or it has no cable of its own.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "cut")
        names, node = self._resolve(request.component)
        if not node:
            raise KubariumError(f'"{request.component}" is no node: only nodes can be cut off')
        if not self._spec.isolated:
            raise KubariumError(f"{node} shares the machine's network: fault plans cut its conversations")
        self._require_running(names)
        self._machine(node).unplug()
        return names

    def resume(self, request: Request) -> list[str]:
        """Send SIGCONT, and let a node's containers go on before.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "resume")
        names, node = self._resolve(request.component)
        self._require_running(names)
        if node:
            self._machine(node).thaw()
        self._signal(names, signal.SIGCONT, paused=False)
        return names

    def restart(self, request: Request) -> list[str]:
        """Stop a component where it runs, then start it. A node is shut down as a machine, and switched on.

        Raises:
            KubariumError: there is no such component.
        """
        if self._is_hollow(request.component):
            return self._order(request.component, "restart")
        names, node = self._resolve(request.component)
        was_on = self._is_on(node or names[0].partition("@")[2])
        self._stop(names, "restarted by the user")
        if node and was_on:  # one that is off has lost its memory already
            self._machine(node).switch_off()
        if node or not was_on:
            self._machine(node or names[0].partition("@")[2]).switch_on()
        for name in names:
            self._processes.want(name)
        return names

    def node_add(self, request: Request) -> str:
        """Add a node to the running cluster; return its name.

        Raises:
            KubariumError: it cannot be; the message names the option.
        """
        try:
            spec = self._spec.with_node(
                request.name,
                cpu=request.cpu,
                memory=request.memory,
                labels=request.labels,
                taints=request.taints,
                kubelet_args=request.kubelet_args,
                bootstrap=request.bootstrap,
            )
        except SpecError as error:
            raise KubariumError(str(error)) from error
        node = spec.nodes[-1]
        places = self._places(spec)
        if spec.isolated:
            network.ensure_nodes(places.addresses, [node])
        NodeMachine(node, places, self._layout).switch_on()
        parts = node_parts(node, places)
        ensure_certificates(parts, Pki(self._layout.pki))
        self._keep(spec)  # may fail on a full disk: then nothing runs that the spec does not know
        ensure_loaded(self._daemon, parts)  # a cluster that began without nodes has none of their programs
        self._processes.add(parts)
        return node.name

    def node_rm(self, request: Request) -> str:
        """Switch a node off and take it out of the cluster; its Node object is the caller's.

        Raises:
            KubariumError: there is no such node.
        """
        name = request.name
        try:
            spec = self._spec.without_node(name)
        except SpecError as error:
            raise KubariumError(str(error)) from error
        (parts, _), machine = self._resolve(name), self._machine(name)
        self._keep(spec)  # before anything is ended, since it may fail on a full disk
        self._stop(parts, "its node was removed")
        machine.scrap()
        for part in parts:
            self._processes.remove(part)
        return name

    def down(self, _: Request) -> bool:
        """Stop everything in order, nodes first, etcd last; then the supervisor leaves."""
        self._stop_everything()
        for node in self._spec.nodes:
            self._machine(node.name).scrap()
        if self._spec.isolated:
            network.remove_backbone(self._places(self._spec).addresses)
        self._daemon.leave()
        return True

    def halt(self, request: Request) -> bool:
        """Go down as `down` does, so that the cluster can be started again: its machines lose power, not their disks."""
        self._stop_everything()
        for node in self._spec.nodes:
            self._machine(node.name).switch_off()
        return self.down(request)

    def power_off(self) -> None:
        """Go down without being asked over the socket."""
        self.down(Request(op="down"))

    def stop_parts(self) -> None:
        """Stop every process; then the supervisor leaves."""
        self._stop(list(self._processes.table), "the machine was switched off")
        self._daemon.leave()

    def _stop_everything(self) -> None:
        for names in stop_order(self._processes.table):
            self._stop(names, "the cluster went down")

    def _keep(self, spec: ClusterSpec) -> None:
        self._spec = spec
        fresh = self._layout.spec.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(spec)))
        fresh.replace(self._layout.spec)

    def _is_hollow(self, name: str) -> bool:
        return bool(self._spec.hollow_nodes) and name in self._spec.hollow_names

    def _order(self, node: str, do: str) -> list[str]:
        """Have the process of the hollow nodes do something to one of them."""
        if not self._processes.running([HOLLOW_NODES]):
            raise KubariumError(
                "the process of the hollow nodes does not run: `kubarium restart hollownodes` starts it"
            )
        order(str(self._layout.health(HOLLOW_NODES)), node, do)
        return [node]

    def _resolve(self, name: str) -> tuple[list[str], str]:
        """Find the components that a name means, and the node where it means a whole machine."""
        table = self._processes.table
        if name in table:
            return [name], ""
        if any(node.name == name for node in self._spec.nodes):
            return [part for part in table if part.endswith(f"@{name}")], name
        known = ", ".join([*table, *(node.name for node in self._spec.nodes)])
        raise KubariumError(f'cluster "{self._spec.name}" has no component "{name}" (it has: {known})')

    def _is_on(self, node: str) -> bool:
        """Whether a node runs; true of what is not on a node."""
        parts = [name for name in self._processes.table if name.endswith(f"@{node}")]
        return not node or bool(self._processes.running(parts))

    def _machine(self, node: str) -> NodeMachine:
        return NodeMachine(self._spec.node(node), self._places(self._spec), self._layout)

    def _signal(self, names: list[str], number: signal.Signals, *, paused: bool) -> None:
        self._require_running(names)
        for name in names:
            self._processes.send(name, number, group=True)
            self._processes.note_paused(name, paused=paused)

    def _require_running(self, names: list[str]) -> None:
        running = self._processes.running(names)
        if missing := [name for name in names if name not in running]:
            raise KubariumError(f'"{missing[0]}" is not running; `kubarium restart {missing[0]}` starts it')

    def _stop(self, names: list[str], why: str) -> None:
        for name in names:
            self._processes.stop(name, signal.SIGTERM, why)
        if late := self._wait_gone(names, STOP_PATIENCE_S):
            for name in late:
                self._processes.stop(name, signal.SIGKILL, f"{why}, by SIGKILL after {STOP_PATIENCE_S:g} s")
            self._wait_gone(late, _KILL_PATIENCE_S)

    def _wait_gone(self, names: list[str], patience_s: float) -> list[str]:
        deadline = WALL.monotonic_wall() + patience_s
        while (left := self._processes.running(names)) and WALL.monotonic_wall() < deadline:
            self._daemon.step_exits(deadline - WALL.monotonic_wall())
        return left


def _row(process: Supervised) -> dict[str, Any]:
    running = process.phase in {Phase.STARTING, Phase.READY} and process.pid
    return {
        "name": process.name,
        "state": "paused" if process.paused else process.phase.value,
        "pid": process.pid,
        "uptime_s": WALL.monotonic_wall() - process.started_s if running else 0.0,
        "restarts": process.restarts,
        "last_exit": process.last_exit,
    }
