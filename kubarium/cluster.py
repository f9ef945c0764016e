"""A cluster in the user's hand.

    from kubarium import Cluster

    with Cluster.up(nodes=3) as cluster:
        cluster.kill("kubelet@node-1")
        print(cluster.ps())

Everything here is synchronous and raises KubariumError with words for people.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from kubarium import homes, preflight
from kubarium.containers import remove_containers
from kubarium.core.addresses import Addresses
from kubarium.core.layout import Layout
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec, SpecError, checked
from kubarium.credentials import ensure_credentials, kubeconfig_text
from kubarium.errors import KubariumError
from kubarium.mounts import unmount_below
from kubarium.starter import Starter
from kubarium.supervisor.protocol import call

Progress = Callable[[str], None]

START_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One component's process, as `kubarium ps` shows it."""

    name: str
    state: str  # waiting, starting, ready, paused, backoff, stopped
    pid: int  # 0 where none runs
    uptime_s: float
    restarts: int
    last_exit: str  # "" or how the last process ended


class Cluster:
    """A running cluster, by name."""

    def __init__(self, name: str = "kubarium", *, home: Path | None = None) -> None:
        self.name = name
        self._home = home
        self.layout: Layout[Path] = homes.layout_of(name, home)

    @classmethod
    def up(
        cls,
        name: str = "kubarium",
        *,
        nodes: int = 3,
        runtime: str = "auto",
        profile: str = "default",
        time_scale: float = 1.0,
        api_port: int = 0,
        etcd: int = 1,
        apiservers: int = 1,
        schedulers: int = 1,
        controllers: int = 1,
        cpu: str = "",
        memory: str = "",
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        check_invariants: bool = False,
        progress: Progress = lambda _: None,
    ) -> Self:
        """Start a cluster, or find it running, and (with `wait`) return when its nodes are Ready.

        With `check_invariants` a component ends where it finds its own state broken: for tests.
        `etcd` (1 or 3), `apiservers`, `schedulers` and `controllers` say how many processes of each there are.

        Raises:
            KubariumError: it cannot be; the message names the option, or says what is missing.
        """
        cluster = cls(name, home=home)
        if cluster.is_up():
            progress(f'cluster "{name}" is already running')
            return cluster
        fields = {
            "name": name,
            "profile": profile,
            "time_scale": time_scale,
            "api_port": api_port,
            "etcd": etcd,
            "apiservers": apiservers,
            "schedulers": schedulers,
            "controllers": controllers,
            "check_invariants": check_invariants,
        }
        with homes.locked(home), homes.machine_locked(), Starter(cluster.layout) as starter:
            spec = cluster._left(progress) or _new_spec(
                fields,
                runtime=runtime,
                nodes=nodes,
                cpu=cpu,
                memory=memory,
                home=home,
                progress=progress,
            )
            cluster._write(spec)
            progress("starting etcd, apiserver, scheduler, controllers and the nodes")
            starter.begin()
            if wait:
                import kubarium.waiting  # noqa: F401 - while the supervisor starts
            starter.wait(START_PATIENCE_S)
            preflight.wait_until_claimed(spec)
        if wait:
            cluster.wait_ready(timeout_s=timeout_s, progress=progress)
        return cluster

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig file."""
        return self.layout.kubeconfig

    @property
    def spec(self) -> ClusterSpec:
        """What the cluster is made of now.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return msgspec.convert(self._call("spec"), ClusterSpec)

    @property
    def addresses(self) -> Addresses:
        """Where its parts listen.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return Addresses(self.spec)

    def is_up(self) -> bool:
        """Whether its supervisor answers."""
        try:
            call(self.layout.control, "spec", timeout_s=5)
        except (OSError, ValueError):
            return False
        return True

    def ps(self) -> list[ProcessInfo]:
        """List every component and its process.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return [ProcessInfo(**row) for row in self._call("ps")]

    def kill(self, component: str, *, restart: bool = False) -> list[str]:
        """Kill a component with SIGKILL, or a whole node as a machine that lost power.

        It stays down until `restart(component)`; with `restart` it comes back as after a crash.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("kill", component=component, restart=restart))

    def stop(self, component: str) -> list[str]:
        """Stop a component in good order (SIGTERM), or shut a whole node down; it stays down.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("stop", component=component))

    def pause(self, component: str) -> list[str]:
        """Freeze a component (SIGSTOP): it holds its connections and says nothing. Of a node the containers, too.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return list(self._call("pause", component=component))

    def resume(self, component: str) -> list[str]:
        """Resume a frozen component (SIGCONT).

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return list(self._call("resume", component=component))

    def restart(self, component: str) -> list[str]:
        """Stop a component where it runs, and start it; a node is rebooted.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("restart", component=component))

    def add_node(self, name: str = "", *, cpu: str = "", memory: str = "") -> str:
        """Add a node with that declared capacity to the running cluster; return its name.

        Raises:
            KubariumError: it cannot be; the message names the option.
        """
        return str(self._call("node_add", name=name, cpu=cpu, memory=memory))

    def remove_node(self, name: str) -> None:
        """Switch a node off and take it out, with its Node object and its containers.

        Raises:
            KubariumError: there is no such node, or something of it could not be removed.
        """
        runtime = self.spec.runtime
        self._call("node_rm", name=name)
        if runtime == "docker":
            self._remove_containers(name)
        from kubarium.waiting import delete_node  # gRPC, which most commands do without

        delete_node(self.spec, self.layout, name, timeout_s=START_PATIENCE_S)
        unmount_below(self.layout.node(name))
        shutil.rmtree(self.layout.node(name), ignore_errors=True)

    def log_file(self, component: str) -> Path:
        """Return the path of a component's log file.

        Raises:
            KubariumError: there is no such component.
        """
        known = [process.name for process in self.ps()]
        if component not in [*known, "supervisor"]:
            raise KubariumError(
                f'cluster "{self.name}" has no component "{component}" (it has: {", ".join(known)})'
            )
        return self.layout.log(component)

    def wait_ready(self, *, timeout_s: float = START_PATIENCE_S, progress: Progress = lambda _: None) -> None:
        """Return when the apiserver answers and every node is Ready.

        Raises:
            KubariumError: not in time; the message says what was still missing.
        """
        from kubarium.waiting import wait_for_nodes  # gRPC, which most commands do without

        wait_for_nodes(self.spec, self.layout, timeout_s=timeout_s, progress=progress)

    def down(self, *, progress: Progress = lambda _: None) -> bool:
        """Stop every process, remove every container, namespace and file. False where nothing was there.

        Raises:
            KubariumError: something could not be removed; the message says what.
        """
        spec = homes.read_spec(self.layout)
        if spec is None:
            return False
        if self.is_up():
            progress("stopping the components")
            self._call("down", timeout_s=120)
        if spec.runtime == "docker":
            progress("removing the containers")
            self._remove_containers()
        unmount_below(self.layout.home)
        shutil.rmtree(self.layout.home, ignore_errors=True)
        shutil.rmtree(self.layout.run, ignore_errors=True)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _remove_containers(self, node: str = "") -> None:
        if problem := remove_containers(
            self.name, node, docker_socket=preflight.DOCKER_SOCKET, nodes=self.layout.nodes
        ):
            raise KubariumError(f"the cluster's containers could not be removed: {problem}")

    def _call(self, op: str, *, timeout_s: float = 60.0, **arguments: Any) -> Any:
        try:
            return call(self.layout.control, op, timeout_s=timeout_s, **arguments)
        except TimeoutError as error:
            raise KubariumError(
                f'the supervisor of cluster "{self.name}" does not answer; its log is {self.layout.log("supervisor")}'
            ) from error
        except (FileNotFoundError, ConnectionError) as error:
            known = ", ".join(homes.cluster_names(self._home)) or "none"
            raise KubariumError(
                f'cluster "{self.name}" is not running (known: {known}): '
                f"`kubarium up --name {self.name}` starts it"
            ) from error

    def _left(self, progress: Progress) -> ClusterSpec | None:
        """Return the spec of the cluster as it was left, where it was."""
        known = homes.read_spec(self.layout)
        if known is not None:
            progress(f'starting cluster "{self.name}" as it was left')
            preflight_left(known, self.layout)
        return known

    def _write(self, spec: ClusterSpec) -> None:
        layout = self.layout
        layout.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        layout.logs.mkdir(exist_ok=True)
        places = LocalPlaces(spec, layout)
        content = kubeconfig_text(places, ensure_credentials(places))
        descriptor = os.open(layout.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        layout.spec.write_bytes(msgspec.json.format(msgspec.json.encode(spec)))


def _new_spec(
    fields: dict[str, Any],
    *,
    runtime: str,
    nodes: int,
    cpu: str,
    memory: str,
    home: Path | None,
    progress: Progress,
) -> ClusterSpec:
    """Return the spec of a cluster that can be started on this machine now."""
    chosen, why = preflight.choose_runtime(runtime)
    if why:
        progress(f"going on with the hollow runtime: {why}. Containers are simulated")
    try:
        spec = checked(msgspec.convert({**fields, "runtime": chosen}, ClusterSpec))
        for _ in range(nodes):
            spec = spec.with_node(cpu=cpu, memory=memory)
    except (SpecError, msgspec.ValidationError) as error:
        raise KubariumError(str(error)) from error
    spec = msgspec.structs.replace(spec, slot=_free_slot(spec, home))
    preflight.check_name(spec)
    preflight.check(spec)
    return spec


def _free_slot(spec: ClusterSpec, home: Path | None) -> int:
    def is_free(slot: int) -> bool:
        return preflight.ports_are_free(msgspec.structs.replace(spec, slot=slot, api_port=0))

    return homes.free_slot(homes.taken_slots(home), is_free)


def preflight_left(spec: ClusterSpec, layout: Layout[Path]) -> None:
    """Check a cluster that was left, unless its processes still run and hold the ports themselves."""
    if not layout.pids.exists() or layout.pids.read_text() in {"", "{}"}:
        preflight.check(spec)
