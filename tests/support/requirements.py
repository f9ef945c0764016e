"""What a test needs of the machine, and what happens where it is missing.

Outside CI a test that lacks something is skipped and says what. In CI, where
`KUBARIUM_REQUIRE=etcd,docker,cni,kubectl` is set, it fails: there everything has to have been there.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.kubectl import find_kubectl


def missing(what: str) -> str:
    """Say why a need is not met here, or "" where it is."""
    checks = {"etcd": _etcd, "docker": _docker, "cni": _cni, "kubectl": _kubectl}
    return checks[what]()


def need(*needs: str) -> None:
    """Skip the calling test where a need is not met, or fail it where it has to be."""
    required = set(filter(None, os.environ.get("KUBARIUM_REQUIRE", "").split(",")))
    for what in needs:
        if why := missing(what):
            if what in required:
                pytest.fail(f"{what} is required here: {why}")
            pytest.skip(f"{what}: {why}")


def _etcd() -> str:
    return "" if shutil.which("etcd") else "no etcd binary on the PATH"


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
