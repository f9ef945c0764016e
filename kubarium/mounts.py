"""What a node has mounted below its folder (tokens and secrets live in memory), unmounted before the folder goes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kubarium.errors import KubariumError

_TABLE = Path("/proc/self/mountinfo")
_TIMEOUT_S = 20.0


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first.

    Raises:
        KubariumError: something stays mounted.
    """
    for point in mounted_below(folder, _TABLE.read_text()):
        done = subprocess.run(
            ["umount", "--lazy", point], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        if done.returncode != 0:
            raise KubariumError(f"{point} stays mounted: {done.stderr.strip()}")


def mounted_below(folder: Path, table: str) -> list[str]:
    """Find the mount points below a folder in a mountinfo table (proc(5)), the innermost first."""
    points = [_unescaped(fields[4]) for line in table.splitlines() if len(fields := line.split()) > 4]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def _unescaped(text: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text
