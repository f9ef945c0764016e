"""`python -m kubarium.machine SERVICE`: one compose service, be it a single component or a whole node.

`setup` writes keys, certificates and the kubeconfig. A control-plane service becomes its component. A node
runs its three parts under a supervisor, with a fuse outside the container that takes the node's pods along
when the machine loses power. What such a machine leaves on the engine (stopped containers) is taken over by its next
start, or removed when the last machine of the cluster is switched off.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml

from kubarium.core.addresses import LOOPBACK, Addresses
from kubarium.core.components import ADMIN, Component, Places, components, compose_places, node_parts
from kubarium.core.compose import STATE, compose_file, compose_spec
from kubarium.core.kubeconfig import kubeconfig
from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec, NodeSpec, SpecError, checked
from kubarium.errors import KubariumError
from kubarium.pki import Pki, ensure_certificates
from kubarium.roll_call import RollCall
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.fuse import lay_fuse
from kubarium.supervisor.loading import load_and_start
from kubarium.supervisor.machines import kill_cgroup
from kubarium.supervisor.operations import Operations

_KUBECONFIGS = Path("/kubeconfig")


def main(argv: list[str] | None = None) -> int:
    """Run one service."""
    parser = argparse.ArgumentParser(prog="python -m kubarium.machine", description=__doc__)
    parser.add_argument(
        "service", help="setup, file, etcd, apiserver, scheduler, controllers, or a node's name"
    )
    service = parser.parse_args(argv).service
    try:
        run(service)
    except (KubariumError, SpecError, ValueError, OSError) as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    return 0


def run(service: str) -> None:
    """Become the service."""
    spec = spec_from_environment()
    layout = Layout(Path(STATE), Path(STATE) / "run" / service)
    places = compose_places(spec, layout)
    if service == "file":
        print(file_text(spec), end="")
    elif service == "setup":
        write_keys(spec, places)
    elif any(node.name == service for node in spec.nodes):
        run_node(spec, service, places)
    else:
        become(next_component(spec, places, service))


def file_text(spec: ClusterSpec) -> str:
    """Write docker-compose.yml."""
    head = "# Written by `python -m kubarium.machine file`; `make check` tells when it is stale.\n"
    return head + yaml.dump(compose_file(spec), Dumper=_Plain, sort_keys=False, width=110)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: each service can be read by itself."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the answer is the same for all
        return True


def spec_from_environment() -> ClusterSpec:
    """Read what the user sets for all services, in the environment that compose hands on."""
    profile, scale = os.environ.get("KUBARIUM_PROFILE", "default"), os.environ.get("KUBARIUM_TIME_SCALE", "1")
    try:
        return checked(compose_spec(profile=profile, time_scale=float(scale)))
    except ValueError as error:
        raise KubariumError(f"KUBARIUM_PROFILE={profile} KUBARIUM_TIME_SCALE={scale}: {error}") from error


def write_keys(spec: ClusterSpec, places: Places) -> None:
    """Write keys, certificates and the kubeconfig; what exists is kept."""
    pki = Pki(places.layout.pki)
    pki.ensure_authority()
    pki.ensure_authority("etcd-ca")
    pki.ensure_signing_key()
    pki.ensure(ADMIN)
    ensure_certificates(components(spec, places), pki)
    content = kubeconfig(
        spec.name,
        f"https://{LOOPBACK}:{Addresses(spec).rest_port}",
        authority=pki.certificate("ca").read_bytes(),
        certificate=pki.certificate(ADMIN.name).read_bytes(),
        key=pki.key(ADMIN.name).read_bytes(),
    )
    target = _KUBECONFIGS / "kubeconfig"
    target.write_text(yaml.safe_dump(content, sort_keys=False))
    target.chmod(0o600)
    print("kubarium: export KUBECONFIG=$PWD/.compose/kubeconfig")


def next_component(spec: ClusterSpec, places: Places, service: str) -> Component:
    """Find a control-plane component by its service's name."""
    found = {part.name: part for part in components(spec, places)}
    if service not in found:
        names = ", ".join([*(name for name in found if "@" not in name), *(node.name for node in spec.nodes)])
        raise KubariumError(f'there is no service "{service}" (there are: setup, {names})')
    return found[service]


def become(component: Component) -> None:
    """Replace this process by the component."""
    Path(component.flags.get("health-socket", "/run/x")).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in component.folders:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if component.external:
        os.execvp(component.program, [component.program, *component.arguments])  # noqa: S606 - no shell is wanted
    os.execv(sys.executable, [sys.executable, "-m", component.program, *component.arguments])  # noqa: S606


def run_node(spec: ClusterSpec, name: str, places: Places) -> None:
    """Run a node's parts until the machine is switched off."""
    node, cgroup = spec.node(name), f"{places.cgroup_root}/{name}"
    fuse = lay_fuse(cgroup)
    with RollCall(places.layout.home / "machines") as present:
        try:
            run_parts(spec, node, places)
        finally:
            kill_cgroup(cgroup)
            _purge(spec.name, name, places.docker_socket)
            fuse.remove()
        if present.leave():
            _purge(spec.name, "", places.docker_socket)


def run_parts(spec: ClusterSpec, node: NodeSpec, places: Places) -> None:
    """Run a node's processes until the machine is switched off."""
    daemon = Daemon(spec.name, places.layout)
    operations = Operations(daemon, spec, places.layout, lambda _: places)
    daemon.on_terminate = operations.stop_parts
    daemon.processes.fall_with_us = True
    parts = node_parts(spec, node, places)
    daemon.processes.add(parts)
    try:
        load_and_start(daemon, parts)
        daemon.run()
    finally:
        daemon.close()


def _purge(cluster: str, node: str, docker_socket: str) -> None:
    """Remove the containers of a node, or of all nodes where none is named."""
    command = [sys.executable, "-m", "dockershim", "--purge", f"--cluster={cluster}", f"--node={node}"]
    subprocess.run([*command, f"--docker-socket={docker_socket}"], check=False)


if __name__ == "__main__":
    sys.exit(main())
