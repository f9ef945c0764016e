"""What the kernel's cgroup files and /proc say, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNIFIED = ""  # the name of the one hierarchy of cgroup v2 in what `cgroup_paths` gives


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cgroup uses. Bytes and nanoseconds."""

    cpu_ns: int = 0
    memory_bytes: int = 0
    working_set_bytes: int = 0
    rss_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    processes: int = 0


def cgroup_paths(text: str) -> dict[str, str]:
    """Read /proc/<pid>/cgroup: controller → path; "" is cgroup v2. What lies above our own root is cut off."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        while path.startswith("/.."):
            path = path[3:]
        for controller in controllers.split(","):
            found[controller] = path
    return found


def read_table(text: str) -> dict[str, int]:
    """Read lines of "name number"."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdecimal()}


def usage_v1(cpu_ns: str, memory: str, statistics: str, processes: str) -> Usage:
    """Read cpuacct.usage, memory.usage_in_bytes, memory.stat and pids.current."""
    table = read_table(statistics)
    return _usage(
        int(cpu_ns or 0),
        int(memory or 0),
        table,
        "total_inactive_file",
        "total_rss",
        "total_",
        int(processes or 0),
    )


def usage_v2(cpu: str, memory: str, statistics: str, processes: str) -> Usage:
    """Read cpu.stat, memory.current, memory.stat and pids.current."""
    cpu_ns = read_table(cpu).get("usage_usec", 0) * 1000
    return _usage(
        cpu_ns, int(memory or 0), read_table(statistics), "inactive_file", "anon", "", int(processes or 0)
    )


def _usage(
    cpu_ns: int, memory: int, table: Mapping[str, int], inactive: str, rss: str, prefix: str, processes: int
) -> Usage:
    return Usage(
        cpu_ns=cpu_ns,
        memory_bytes=memory,
        working_set_bytes=max(0, memory - table.get(inactive, 0)),
        rss_bytes=table.get(rss, 0),
        page_faults=table.get(f"{prefix}pgfault", 0),
        major_page_faults=table.get(f"{prefix}pgmajfault", 0),
        processes=processes,
    )


def read_interfaces(text: str) -> dict[str, tuple[int, int, int, int]]:
    """Read /proc/<pid>/net/dev: interface → bytes received, errors, bytes sent, errors."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = [int(number) for number in numbers.split()]
        if len(fields) >= 11:
            found[name.strip()] = (fields[0], fields[2], fields[8], fields[10])
    return found
