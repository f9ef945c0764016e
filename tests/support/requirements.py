"""What a test needs of the machine, and what happens where it is missing.

Outside CI a test that lacks something is skipped and says what. In CI, where `KUBARIUM_REQUIRE` lists the names of
what has to be there, it fails. This is the only door to a skip (tests/unit/house/test_house_rules.py).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import netns
from tests.support.kubectl import find_kubectl

_COMPOSE_V2 = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "docker-compose-v2"
_CGROUPS = Path("/sys/fs/cgroup")


def missing(what: str) -> str:
    """Return why a need is not met here, "" where it is."""
    return _CHECKS[what]()


def need(*needs: str) -> None:
    """Skip the calling test where a need is not met, or fail it where it has to be."""
    required = set(filter(None, os.environ.get("KUBARIUM_REQUIRE", "").split(",")))
    assert required <= _CHECKS.keys(), f"unknown names in KUBARIUM_REQUIRE: {required - _CHECKS.keys()}"
    for what in needs:
        if why := missing(what):
            if what in required:
                pytest.fail(f"{what} is required here: {why}")
            pytest.skip(f"{what}: {why}")


def compose_command(version: str) -> list[str]:
    """Return the command of "compose" (1.29) or "compose-v2" (a plugin, or as `make setup` brought it); [] if none."""
    if version == "compose":
        return ["docker-compose"] if shutil.which("docker-compose") else []
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    return [str(_COMPOSE_V2)] if _COMPOSE_V2.exists() else []


def find_uv() -> str | None:
    """Return uv's path: on the PATH, or as `make setup` brought it; None if there is none."""
    brought = Path(__file__).resolve().parents[2] / ".tools" / "uv" / "bin"
    return shutil.which("uv") or shutil.which("uv", path=str(brought))


def _program(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else f"no {name} on the PATH"


def _compose(version: str) -> Callable[[], str]:
    return lambda: "" if compose_command(version) else f"{version} is not installed"


def _root() -> str:
    return "" if os.geteuid() == 0 else "only root may do this"


def _kubectl() -> str:
    return "" if find_kubectl() else "no kubectl on the PATH nor in .tools/bin"


def _cni() -> str:
    found = any((Path(folder) / "bridge").exists() for folder in ("/opt/cni/bin", "/usr/lib/cni"))
    return "" if found else "no CNI plugins in /opt/cni/bin or /usr/lib/cni"


def _docker() -> str:
    if os.geteuid() != 0:
        return "real nodes need root"
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect("/var/run/docker.sock")
        except OSError as error:
            return f"no Docker engine answers at /var/run/docker.sock ({error})"
    return ""


def _cgroups() -> str:
    unified = (_CGROUPS / "cgroup.controllers").exists()
    trees = [_CGROUPS] if unified else [_CGROUPS / name for name in ("cpu", "memory", "pids")]
    writable = os.geteuid() == 0 and all(os.access(tree, os.W_OK) for tree in trees)
    return "" if writable else "needs root and a writable /sys/fs/cgroup"


def _mounts() -> str:
    from kubelet.volumes.mounting import mounts_are_seen

    with TemporaryDirectory() as folder:
        seen = mounts_are_seen(Path(folder))
    return "" if seen else "mounts made here reach nobody (needs root in the machine's mount namespace)"


_CHECKS: dict[str, Callable[[], str]] = {
    "etcd": _program("etcd"),
    "etcdctl": _program("etcdctl"),
    "docker": _docker,
    "cni": _cni,
    "kubectl": _kubectl,
    "apt": _program("apt-get"),  # and its sources, which Debian's packages come from
    "iptables": _program("iptables"),  # the portmap plugin calls it
    "docker-registry": _program("docker-registry"),
    "haproxy": _program("haproxy"),
    "tcpdump": _program("tcpdump"),
    "npm": _program("npm"),
    "chromium": _program("chromium"),
    **{shell: _program(shell) for shell in ("bash", "zsh", "fish")},
    "root": _root,
    "cgroups": _cgroups,
    "mounts": _mounts,
    "netns": netns.missing,
    "uv": lambda: "" if find_uv() else "no uv on the PATH nor in .tools/uv/bin",
    "compose": _compose("compose"),
    "compose-v2": _compose("compose-v2"),
}
