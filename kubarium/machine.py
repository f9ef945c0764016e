"""`python -m kubarium.machine SERVICE`: one compose service, be it a single component or a whole node.

`setup` writes keys, certificates and the kubeconfig. A control-plane service becomes its component. A node
runs its three parts under a supervisor, with a reaper outside the container that kills the node's pods
when the machine loses power. What such a machine leaves on the engine (stopped containers) is taken over by its next
start, or removed when the last machine of the cluster is switched off.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from kubarium.core.components import Component, components, node_parts
from kubarium.core.compose import (
    STATE,
    TUNNEL,
    compose_file,
    compose_spec,
    first_host_file,
    joined_host_file,
)
from kubarium.core.layout import Layout
from kubarium.core.places import ComposePlaces, Places
from kubarium.core.spec import ClusterSpec, NodeSpec, checked
from kubarium.core.spec_rules import SpecError
from kubarium.errors import KubariumError
from kubarium.host.containers import remove_containers
from kubarium.host.machine_lock import MachineLock, hold_power
from kubarium.host.mounts import mount_as_outside
from kubarium.identity.credentials import ensure_credentials, kubeconfig_text
from kubarium.identity.node_identity import NodeIdentity
from kubarium.import_path import check, put_programs_first
from kubarium.joining.compose_hosts import (
    admission_text,
    join,
    lay_tunnel,
    leave,
    node_of_service,
    read_joined,
    ready_link,
)
from kubarium.program import command_of
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.loading import load_and_start
from kubarium.supervisor.machines import admit_cgroup, kill_cgroup
from kubarium.supervisor.operations import Operations
from kubarium.supervisor.reaper import start_reaper

_KUBECONFIGS = Path("/kubeconfig")


def main(argv: list[str] | None = None) -> int:
    """Run one service; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m kubarium.machine", description=__doc__)
    parser.add_argument(
        "service",
        help="setup, etcd, apiserver, scheduler, controllers, dns, publish, or a node's name; with a second host tunnel,"
        " token, join and leave; file, first-host-file and joined-host-file print compose files",
    )
    service = parser.parse_args(argv).service
    try:
        run(service)
    except (KubariumError, SpecError, ValueError, OSError) as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    return 0


def run(service: str) -> None:
    """Become the service, or do its work and return.

    Raises:
        KubariumError: what the user set does not work, there is no such service, or the machine lacks something.
        OSError: a file, a socket or a program cannot be had.
    """
    layout = Layout(Path(STATE), Path(STATE) / "run" / service)
    if service == "join":
        print(f"kubarium: {join(os.environ, layout)}")
        return
    spec = read_joined(layout) if os.environ.get("KUBARIUM_JOIN") else spec_from_environment()
    places = ComposePlaces(spec, layout)
    if node := node_of_service(spec, service):
        layout = Layout(mount_as_outside(layout.home), layout.run)  # the short path is for sockets
        run_node(ComposePlaces(spec, layout), node.name)
    elif service in FILES:
        print(file_text(service, spec), end="")
    elif service == "setup":
        write_credentials(places)
    elif service == "token":
        print(admission_text(places))
    elif service == "leave":
        print(f"kubarium: {leave(places)}")
    else:
        if service == TUNNEL:
            lay_tunnel(places)
        become(next_component(places, service))


FILES: Mapping[str, Callable[[ClusterSpec], dict[str, Any]]] = {
    "file": compose_file,
    "first-host-file": first_host_file,
    "joined-host-file": lambda _: joined_host_file(),
}


def file_text(which: str, spec: ClusterSpec) -> str:
    """Return the text of a compose file, one of `FILES`."""
    head = f"# Written by `python -m kubarium.machine {which}`; `make check` fails where it is stale.\n"
    return head + yaml.dump(FILES[which](spec), Dumper=_Plain, sort_keys=False, width=110)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: each service can be read by itself."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the answer is the same for all
        return True


def spec_from_environment() -> ClusterSpec:
    """Read what the user sets for all services, in the environment that compose hands on.

    Raises:
        KubariumError: a value does not work; the message names the variables.
    """
    profile, scale = os.environ.get("KUBARIUM_PROFILE", "default"), os.environ.get("KUBARIUM_TIME_SCALE", "1")
    listen = os.environ.get("KUBARIUM_LISTEN", "")
    try:
        return checked(compose_spec(profile=profile, time_scale=float(scale), listen=listen))
    except ValueError as error:
        said = f"KUBARIUM_PROFILE={profile} KUBARIUM_TIME_SCALE={scale} KUBARIUM_LISTEN={listen}"
        raise KubariumError(f"{said}: {error}") from error


def write_credentials(places: Places) -> None:
    """Write keys, certificates and the kubeconfig; keep what exists.

    Raises:
        OSError: the volume or the user's folder cannot be written.
    """
    target = _KUBECONFIGS / "kubeconfig"
    target.write_text(kubeconfig_text(places, ensure_credentials(places)))
    target.chmod(0o600)
    print("kubarium: export KUBECONFIG=$PWD/.compose/kubeconfig")


def next_component(places: Places, service: str) -> Component:
    """Find a control-plane component by its service's name.

    Raises:
        KubariumError: there is none; the message lists those that are.
    """
    found = {part.name: part for part in components(places)}
    if service not in found:
        names = ", ".join(
            [*(name for name in found if "@" not in name), *(node.name for node in places.spec.nodes)]
        )
        raise KubariumError(f'there is no service "{service}" (there are: setup, {names})')
    return found[service]


def become(component: Component) -> None:
    """Replace this process by the component.

    Raises:
        OSError: the program is not there, or a folder cannot be made.
    """
    Path(component.flags.get("health-socket", "/run/x")).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in component.folders:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    if component.external:
        os.execvp(component.program, [component.program, *component.arguments])  # noqa: S606 - no shell is wanted
    command = [*command_of(component.program), *component.arguments]
    os.execv(command[0], command)  # noqa: S606


def run_node(places: Places, name: str) -> None:
    """Run a node's parts until the machine is switched off; then remove what it has on the engine.

    Raises:
        OSError: the machine's namespaces, cgroups or folders cannot be had.
        KubariumError: the programs cannot be imported.
    """
    spec = places.spec
    node, cgroup = spec.node(name), f"{places.cgroup_root}/{name}"
    places.layout.node(name).mkdir(parents=True, exist_ok=True, mode=0o700)
    power = hold_power(places.layout.node(name) / "power")  # the reaper has it, too
    ready_link(places, node)
    reaper = start_reaper(cgroup)
    with MachineLock(places.layout.home / "machines") as held:
        try:
            admit_cgroup(cgroup)
            NodeIdentity(places.layout.identity(name)).start_anew()
            run_parts(places, node)
        finally:
            kill_cgroup(cgroup)
            _remove_containers(places, name)
            reaper.remove()
            os.close(power)
        if held.leave():
            _remove_containers(places)


def run_parts(places: Places, node: NodeSpec) -> None:
    """Run a node's processes until the machine is switched off.

    Raises:
        OSError: a socket or folder cannot be had.
        KubariumError: the programs cannot be imported.
    """
    put_programs_first()
    check()
    daemon = Daemon(places.spec.name, places.layout)
    operations = Operations(daemon, places.spec, places.layout, lambda _: places)
    daemon.on_terminate = operations.stop_parts
    daemon.processes.fall_with_us = True
    daemon.processes.has_logs = False  # `compose logs` has them
    parts = node_parts(node, places)
    daemon.processes.add(parts)
    try:
        load_and_start(daemon, parts, lambda: None)
        daemon.run()
    finally:
        daemon.close()


def _remove_containers(places: Places, node: str = "") -> None:
    try:
        remove_containers(
            places.spec.name, node, docker_socket=places.docker_socket, nodes=places.layout.nodes
        )
    except KubariumError as error:
        print(f"kubarium: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
