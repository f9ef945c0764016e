"""What has to be there before a cluster can start, checked before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from kubarium import homes, remains
from kubarium.core.addresses import Addresses
from kubarium.core.balancer_pool import read_pool
from kubarium.core.components import REGISTRY
from kubarium.core.layout import Layout
from kubarium.core.publications import TCP, read_publication
from kubarium.core.spec import DOCKER_SOCKET, ClusterSpec, Runtime
from kubarium.errors import KubariumError
from kubarium.host.docker_host import docker_socket
from machinery.process.clock import WALL
from machinery.process.search_path import search_path

_PACKAGES = {"etcd": "etcd-server", "ip": "iproute2", "nft": "nftables", REGISTRY: REGISTRY}
_CLAIM_S = 5.0  # nobody waits longer for what may never come; `up` itself then says what is wrong
_LOOK_S = 0.01  # etcd has bound its port long before the first look, as a rule
_NO_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
_CNI_FOLDERS = ("/opt/cni/bin", "/usr/lib/cni")


def choose_runtime(wanted: str) -> tuple[Runtime, str, str]:
    """Return the runtime, the engine's socket, and why it is hollow where nobody asked for that (or "").

    With "auto" it is the best that works here.

    Raises:
        KubariumError: Docker was asked for by name and cannot be had.
    """
    if wanted == "hollow":
        return "hollow", DOCKER_SOCKET, ""
    try:
        socket_path = docker_socket()
        why = _why_not_docker(socket_path)
    except KubariumError as error:
        socket_path, why = DOCKER_SOCKET, str(error)
    if not why:
        return "docker", socket_path, ""
    if wanted == "auto":
        return "hollow", DOCKER_SOCKET, why
    raise KubariumError(f"--runtime docker: {why}. `--runtime hollow` needs none of it")


def check(spec: ClusterSpec) -> None:
    """Check programs and ports.

    Raises:
        KubariumError: something is missing or taken; the message says what to do.
    """
    programs = [
        *(() if spec.joined else ("etcd",)),
        *(("ip", "nft") if spec.isolated else ()),
        *([REGISTRY] if spec.registry_port else []),
    ]
    for program in programs:
        if shutil.which(program, path=search_path()) is None:
            raise KubariumError(
                f"`{program}` is not installed: apt-get install {_PACKAGES[program]}, or run `make setup`"
            )
    if not spec.isolated and (spec.mtu or spec.cni_conf or spec.listen):
        option = "--mtu" if spec.mtu else "--cni-conf" if spec.cni_conf else "--listen"
        raise KubariumError(
            f"{option}: the hollow runtime has no network; leave it out, or take --runtime docker"
        )
    if (
        spec.isolated
        and not spec.cni_conf
        and not any((Path(folder) / "bridge").exists() for folder in _CNI_FOLDERS)
    ):
        raise KubariumError("the CNI plugins are not installed: apt-get install containernetworking-plugins")
    _check_published(spec)
    _check_families(spec)
    seen: dict[tuple[str, int], str] = {}
    for what, host, port in Addresses(spec).claimed():
        if (other := seen.setdefault((host, port), what)) != what:
            raise KubariumError(
                f"port {port} on {host} is meant for {other}, and for {what} (--registry PORT)"
            )
        _check_port(what, host, port)


def check_machine(spec: ClusterSpec, layout: Layout[Path], home: Path | None) -> None:
    """Check that a machine can join a cluster.

    Raises:
        KubariumError: something is missing, or its place in the address plan is taken here; the message says what to do.
    """
    _, _, why = choose_runtime("docker")
    if why:
        raise KubariumError(why)
    if spec.slot in homes.taken_slots(home):
        raise KubariumError(
            f"a cluster of this machine has the addresses {Addresses(spec).backbone}, as the one that is joined: "
            f"`kubarium ls` lists them, `kubarium down --name CLUSTER` ends one"
        )
    check_name(spec, layout, is_known=False)
    check(spec)


def _check_families(spec: ClusterSpec) -> None:
    """Check that the machine has IPv6, where the cluster's nodes and pods are to have it."""
    if not (spec.isolated and spec.is_dual_stack):
        return
    if not _NO_IPV6.exists():
        raise KubariumError(
            "--ip-families ipv4,ipv6: this machine's kernel has no IPv6; leave the option out"
        )
    if _NO_IPV6.read_text().strip() != "0":
        raise KubariumError(
            "--ip-families ipv4,ipv6: IPv6 is switched off on this machine: `sysctl -w net.ipv6.conf.all.disable_ipv6=0`,"
            " or leave the option out"
        )


def _check_published(spec: ClusterSpec) -> None:
    """Check that published ports can be had, and that the pool of load balancers is on this cluster's backbone."""
    backbone = Addresses(spec).backbone
    if (pool := spec.load_balancer_pool) and not backbone.startswith(subnet := read_pool(pool).subnet):
        raise KubariumError(
            f"--load-balancer-pool: {pool} is in {subnet}0/24, and the backbone of this cluster is {backbone}: "
            f"write it without the subnet, as 220-230"
        )
    if spec.publish and not spec.isolated:
        raise KubariumError(
            f"--publish {spec.publish[0]}: simulated containers answer nobody; it needs --runtime docker"
        )
    for text in spec.publish:
        at = read_publication(text)
        kind = socket.SOCK_STREAM if at.protocol == TCP else socket.SOCK_DGRAM
        if problem := _port_problem(at.host, at.port, kind):
            raise KubariumError(
                f"--publish {text}: {at.listens_at} cannot be had ({problem}): end what uses it, or publish another port"
            )


def check_name(spec: ClusterSpec, layout: Layout[Path], *, is_known: bool) -> None:
    """Check that nothing bears the cluster's name that is not its own.

    Sockets lie in a folder that several HOMEs of one user may share; namespaces and containers carry the name.

    Raises:
        KubariumError: a cluster of another folder does, or what is left of one; the message says what to do.
    """
    others = remains.others_of_name(spec.name, layout)
    for process in others:
        if spec.isolated or process.run == str(layout.run):
            raise KubariumError(
                f'a cluster "{spec.name}" of another folder is on this machine, {process.home}: '
                f"choose another --name, or take that one down with its own HOME or KUBARIUM_HOME"
            )
    spaces = [] if is_known or not spec.isolated else remains.namespaces(spec.name)
    if spaces:
        raise KubariumError(
            f'network namespaces are left of a cluster "{spec.name}" that does not run any more '
            f"({', '.join(spaces)}): `kubarium down --name {spec.name}` removes them"
        )


def ports_are_free(spec: ClusterSpec) -> bool:
    """Whether a cluster's ports can be had: those of other users and folders are not known otherwise."""
    return all(_port_problem(host, port) is None for _, host, port in Addresses(spec).claimed())


def wait_until_claimed(spec: ClusterSpec) -> None:
    """Return when the cluster listens on its first port: from then on others see that its slot is taken."""
    _, host, port = Addresses(spec).claimed()[0]
    deadline = WALL.monotonic_wall() + _CLAIM_S
    while _port_problem(host, port) is None and WALL.monotonic_wall() < deadline:
        WALL.block(_LOOK_S)  # the kernel tells nobody that a port was bound


def _port_problem(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror
    return None


def _check_port(what: str, host: str, port: int) -> None:
    if problem := _port_problem(host, port):
        raise KubariumError(
            f"port {port} on {host}, meant for {what}, cannot be had ({problem}): "
            f"end what uses it, or choose other ports with --api-port N (N to N+3 are used), --registry N for a registry"
        )


def _why_not_docker(socket_path: str) -> str:
    if os.geteuid() != 0:
        return "nodes with real containers need root (network namespaces, cgroups)"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(socket_path)
    except OSError as error:
        return f"no Docker engine answers at {socket_path} ({error.strerror or error})"
    return ""
