"""ICMP redirects, which a node of a cluster has no use for: switched off.

Where a packet to a Service leaves a node by the interface that it came in by, as one to a node port with the endpoint on another
node, Linux tells its sender that there is a shorter way, which there is not: without the node the Service's address is
nobody's. It counts redirects against the same limit as refusals, for each sender, who then waits for being told
that a UDP port is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SWITCHES: Final = Path("/proc/sys/net/ipv4/conf")


def switch_off_redirects() -> list[str]:
    """Switch them off, also for interfaces that come later; return for which interfaces that is not allowed."""
    return [switch.parent.name for switch in sorted(_SWITCHES.glob("*/send_redirects")) if not _write(switch)]


def _write(switch: Path) -> bool:
    try:
        if switch.read_text().strip() != "0":
            switch.write_text("0")
    except OSError:
        return not switch.exists()  # its interface has just gone
    return True
