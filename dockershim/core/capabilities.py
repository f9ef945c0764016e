"""Capabilities of the kernel (capabilities(7)), and what is left of a wish on a machine that lacks some.

An engine cannot give what it does not have: it would refuse to start the container.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ALL: Final = "ALL"
NAMES: Final = (  # in the order of the kernel's numbers
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *(
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
    ),
    *(
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
    ),
    *(
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
    ),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
_LATEST: Final = ("PERFMON", "BPF", "CHECKPOINT_RESTORE")
_LOOKS_AT_ITSELF: Final = (1, 42)


def lacking(effective: int, last: int) -> tuple[str, ...]:
    """Return the names of what a process does not have; `last` is the number of the kernel's last capability."""
    return tuple(name for number, name in enumerate(NAMES[: last + 1]) if not effective >> number & 1)


def plain(name: str) -> str:
    """Return a capability's name as the kernel's documents have it, without the CAP_ in front."""
    return name.upper().removeprefix("CAP_")


def to_drop_from_all(missing: Iterable[str], api_version: str) -> tuple[str, ...]:
    """Return what an engine has to be told to leave out of "all": it takes the list from the kernel, not from its rights.

    From API 1.42 (engine 23) on it looks at its own rights, and refuses the names that it lacks. Earlier ones do not know
    the three latest names.
    """
    version = tuple(int(part) for part in api_version.split("."))
    return () if version >= _LOOKS_AT_ITSELF else tuple(name for name in missing if name not in _LATEST)


def available(
    added: Iterable[str], dropped: Iterable[str], missing: Iterable[str], left_out: Iterable[str]
) -> dict[str, list[str]]:
    """Write CapAdd and CapDrop for a wish, less what is missing; `left_out` is what "all" must not contain."""
    absent = {*missing}
    add, drop = ([name for name in names if plain(name) not in absent] for names in (added, dropped))
    return {"CapAdd": add, "CapDrop": [*drop, *left_out] if ALL in map(plain, add) else drop}
