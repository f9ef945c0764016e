"""What the machine is and has, from /proc and /sys; what the user declares wins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from kubelet.core.node_status import MAX_PODS, Machine, System
from machinery.model import quantity

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class IdentityFiles(NamedTuple):
    """Where a node's ids are; "" for the machine's own."""

    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""


OF_THE_MACHINE: Final = IdentityFiles()


def read_machine(
    root_dir: Path, *, cpu: str = "", memory: str = "", identity: IdentityFiles = OF_THE_MACHINE
) -> Machine:
    """Return what a node has; `cpu` and `memory` are quantities, reported as they are written ("" for the machine's).

    Raises:
        ValueError: one of them is no quantity.
    """
    amounts = {
        "cpu": cpu or str(os.cpu_count() or 1),
        "memory": memory or f"{_memory_kib()}Ki",
        "pods": str(MAX_PODS),
        "ephemeral-storage": f"{_disk_bytes(root_dir) // 1024}Ki",
    }
    return Machine(
        capacity=amounts,
        allocatable=amounts,
        system=read_system(identity),
        cpu_millicores=quantity.cpu_millicores(amounts["cpu"]),
        memory_bytes=quantity.memory_bytes(amounts["memory"]),
        declared=bool(memory),
        has_app_armor=_read("/sys/module/apparmor/parameters/enabled") == "Y",
    )


def read_system(identity: IdentityFiles) -> System:
    """Return what the machine says of itself; what it does not say is empty."""
    uname = os.uname()
    machine_id = _read(identity.machine_id or "/etc/machine-id")
    return System(
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        boot_id=_read(identity.boot_id or "/proc/sys/kernel/random/boot_id"),
        machine_id=machine_id,
        system_uuid=_read(identity.system_uuid or "/sys/class/dmi/id/product_uuid") or machine_id,
        kernel_version=uname.release,
        os_image=_os_image(),
    )


def memory_available_bytes() -> int | None:
    """Return what the whole machine has left."""
    return next((kib * 1024 for kib in _meminfo("MemAvailable")), None)


def _memory_kib() -> int:
    return next(iter(_meminfo("MemTotal")), 0)


def _meminfo(key: str) -> list[int]:
    lines = _read("/proc/meminfo").splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith(f"{key}:")]


def _disk_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_frsize * disk.f_blocks


def _os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip("\"'")
    return "Linux"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
