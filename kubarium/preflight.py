"""What has to be there before a cluster can start, checked before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from kubarium.core.addresses import Addresses
from kubarium.core.network import backbone_namespace
from kubarium.core.spec import ClusterSpec, Runtime
from kubarium.errors import KubariumError
from machinery.process.clock import WALL

DOCKER_SOCKET = "/var/run/docker.sock"
_NAMESPACES = Path("/run/netns")
_PACKAGES = {"etcd": "etcd-server", "ip": "iproute2", "nft": "nftables"}
_CLAIM_S = 5.0  # nobody waits longer for what may never come; `up` itself then says what is wrong
_LOOK_S = 0.01  # etcd has bound its port long before the first look, as a rule
_CNI_FOLDERS = ("/opt/cni/bin", "/usr/lib/cni")


def choose_runtime(wanted: str) -> tuple[Runtime, str]:
    """Choose the runtime; with "auto" the best that works here, and say why it is hollow (or "").

    Raises:
        KubariumError: Docker was asked for by name and cannot be had.
    """
    why = _why_not_docker()
    if wanted == "hollow" or (wanted == "auto" and why):
        return "hollow", why if wanted == "auto" else ""
    if why:
        raise KubariumError(f"--runtime docker: {why}. `--runtime hollow` needs none of it")
    return "docker", ""


def check(spec: ClusterSpec) -> None:
    """Check programs and ports.

    Raises:
        KubariumError: something is missing or taken; the message says what to do.
    """
    programs = ("etcd", "ip", "nft") if spec.isolated else ("etcd",)
    for program in programs:
        if shutil.which(program) is None:
            raise KubariumError(
                f"`{program}` is not installed: apt-get install {_PACKAGES[program]}, or run `make setup`"
            )
    if spec.isolated and not any((Path(folder) / "bridge").exists() for folder in _CNI_FOLDERS):
        raise KubariumError("the CNI plugins are not installed: apt-get install containernetworking-plugins")
    for what, host, port in Addresses(spec).claimed():
        _check_port(what, host, port)


def check_name(spec: ClusterSpec) -> None:
    """Check that no cluster of another folder has the name: its namespaces and containers carry it.

    Raises:
        KubariumError: there is one; the message says what to do.
    """
    space = backbone_namespace(spec.name)
    if spec.isolated and (_NAMESPACES / space).exists():
        raise KubariumError(
            f'a cluster "{spec.name}" of another folder is on this machine (network namespace {space}): choose '
            f"another --name, or take that one down with its KUBARIUM_HOME"
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


def _port_problem(host: str, port: int) -> str | None:
    with socket.socket() as probe:
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
            f"end what uses it, or choose other ports with --api-port N (N to N+3 are used)"
        )


def _why_not_docker() -> str:
    if os.geteuid() != 0:
        return "nodes with real containers need root (network namespaces, cgroups)"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(DOCKER_SOCKET)
    except OSError:
        return f"no Docker engine answers at {DOCKER_SOCKET}"
    return ""
