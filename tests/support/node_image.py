"""A stand-in for the image of Node.js: busybox with this machine's node in it, and the libraries that it is linked with."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.requirements import need

NAME = "node:20-alpine"
_LOCK = Path("/tmp/kubarium-node-image.lock")
_LINKED = re.compile(r"(?:=> |^\t)(/\S+) \(0x", re.MULTILINE)


def build_node_image() -> None:
    """Make the image, unless the engine has one of its name; of several runs at once, one makes it."""
    need("docker", "npm")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if subprocess.run(["docker", "image", "inspect", NAME], capture_output=True, check=False).returncode:
            _build(Path(shutil.which("node") or "").resolve())


def _build(program: Path) -> None:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (program, *map(Path, _LINKED.findall(said))):
            target = folder / "root" / (file.relative_to("/") if file != program else "usr/bin/node")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        (folder / "Dockerfile").write_text("FROM busybox:1.36\nCOPY root /\n")
        command = ["docker", "build", "--quiet", "--tag", NAME, folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
