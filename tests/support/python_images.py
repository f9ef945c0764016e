"""Stand-ins for images of programs in Python: the machine's interpreter and a project's packages, where they are here.

No registry and no package index is asked: files of this machine are put into an image, at their own paths, with the
libraries that they are linked with. As those of `images`, they bear a label that tells what they were made of.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.client_projects import Project
from tests.support.images import LABEL, write_base

_LOCK = Path("/tmp/kubarium-python-images.lock")
_ASK = (
    "import json, os, sys, sysconfig; "
    "print(json.dumps([sys.version, sys.prefix, *map(sysconfig.get_path, ('purelib', 'stdlib')), "
    "os.path.realpath(sys.executable)]))"
)
_LINKED = re.compile(r"(?:=> |^\t)(/\S+) \(0x", re.MULTILINE)
_UNUSED = ("*-packages", "config-*", "test", "idlelib", "lib2to3", "tkinter", "ensurepip")
_MADE_BY = "1"  # another one whenever this module makes images otherwise


def build_python_image(
    name: str, project: Project, commands: tuple[str, ...], without: tuple[str, ...] = ()
) -> None:
    """Make an image with a project's commands on its PATH, unless the engine has it; of several runs at once, one does.

    Args:
        name: what it is called, tag included.
        project: whose packages are in it.
        commands: what will be run in it. They are run once here, for their byte code: else each container makes its own.
        without: top-level packages that are left out, where what is run does not need them.
    """
    said = subprocess.run([project.interpreter, "-c", _ASK], capture_output=True, text=True, check=True)
    version, *places = json.loads(said.stdout)
    made_of = json.dumps([_MADE_BY, version, *places, without])  # a project's folder bears its lock's digest
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _label(name) != digest:
            for command in commands:
                _write_byte_code(project.tool(command))
            _import(name, digest, _Places(*map(Path, places), without))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a project is, and the Python below it."""

    project: Path
    packages: Path
    standard: Path
    executable: Path
    without: tuple[str, ...]

    def left_out(self) -> set[str]:
        unused = [path for pattern in _UNUSED for path in self.standard.glob(pattern)]
        return {str(path) for path in [*unused, *(self.packages / name for name in self.without)]}

    def libraries(self) -> set[str]:
        """Return what the interpreter and all extension modules are linked with."""
        modules = [*self.packages.rglob("*.so*"), *(self.standard / "lib-dynload").glob("*.so")]
        command = ["ldd", self.executable, *modules]
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # some may lack theirs
        return {path for path in _LINKED.findall(said.stdout) if not Path(path).is_relative_to(self.project)}


def _write_byte_code(command: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([command, "--version"], env=environment, stdout=subprocess.DEVNULL, check=True)


def _label(name: str) -> str:
    form = '{{with .Config.Labels}}{{index . "' + LABEL + '"}}{{end}}'
    command = ["docker", "image", "inspect", "--format", form, name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _import(name: str, digest: str, places: _Places) -> None:
    changes = [f"ENV PATH={places.project}/bin:/bin", f"LABEL {LABEL}={digest}"]
    flags = [flag for change in changes for flag in ("--change", change)]
    command = ["docker", "import", *flags, "-", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as engine:
        assert engine.stdin
        with tarfile.open(fileobj=engine.stdin, mode="w|") as archive:
            _write(archive, places)
        engine.stdin.close()
    assert engine.returncode == 0, f"{' '.join(command)} ended with {engine.returncode}"


def _write(archive: tarfile.TarFile, places: _Places) -> None:
    left_out = places.left_out()

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if f"/{member.name}" in left_out else member

    write_base(archive)
    for root in (places.project, places.standard, places.executable):
        archive.add(root, filter=kept)
    for library in sorted(places.libraries()):
        member = archive.gettarinfo(Path(library).resolve(), arcname=library)
        with Path(library).open("rb") as content:
            archive.addfile(member, content)
