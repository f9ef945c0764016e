"""A stand-in for the image of the ingress controller: the machine's interpreter and HAProxy, and this checkout.

No registry and no package index is asked, as for those of `python_images`; `scripts/image` makes the real one.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.support.images import LABEL, present, write_base
from tests.support.product_image import INGRESS_IMAGE

_ROOT = Path(__file__).resolve().parents[2]
# Beside the real one, which may be of another day, and those of other checkouts, whose tests may run now.
IMAGE = INGRESS_IMAGE.replace(":", ":stand-in-")
_PACKAGES = ("ingress", "kubarium", "machinery")
_LOCK = Path("/tmp/kubarium-ingress-image.lock")
_LINKED = re.compile(r"(?:=> |^\t)(/\S+) \(0x", re.MULTILINE)
_HOME = "opt/kubarium"
_HAPROXY = Path("/usr/sbin/haproxy")
_MADE_BY = "1"  # another one whenever this module makes the image otherwise
# What the tests and the other programs need, by the beginnings of names.
_WITHOUT = (
    "mypy",
    "grpc",
    "kubernetes_validate",
    "hypothesis",
    "grimp",
    "pygments",
    "ast_serialize",
    "_pytest",
    "6ec57",
)
_UNUSED = ("*-packages", "config-*", "test", "idlelib", "lib2to3", "tkinter", "ensurepip")


def build_ingress_image() -> None:
    """Make the image, unless the engine has the present one; of several runs at once, one does."""
    digest = _digest()
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if present([IMAGE]).get(IMAGE, "") == digest:
            return
        changes = ["ENV PATH=/bin:/usr/bin:/usr/sbin", f"LABEL {LABEL}={digest}"]
        flags = [flag for change in changes for flag in ("--change", change)]
        command = ["docker", "import", *flags, "-", IMAGE]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as engine:
            assert engine.stdin
            with tarfile.open(fileobj=engine.stdin, mode="w|") as archive:
                _write(archive)
            engine.stdin.close()
        assert engine.returncode == 0, f"{' '.join(command)} ended with {engine.returncode}"


def ingress_manifest(image: str = IMAGE) -> str:
    """Return examples/ingress.yaml with the stand-in, or another image, in the image's place."""
    text = (_ROOT / "examples/ingress.yaml").read_text()
    assert " kubarium-ingress:latest\n" in text
    return text.replace("kubarium-ingress:latest", image)


def _digest() -> str:
    """Return what tells images of different sources apart."""
    found = hashlib.sha256(json.dumps([_MADE_BY, sys.version, (_ROOT / "uv.lock").read_text()]).encode())
    for path in _sources():
        found.update(str(path.relative_to(_ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _sources() -> Iterable[Path]:
    return sorted(path for name in _PACKAGES for path in (_ROOT / name).rglob("*.py"))


def _write(archive: tarfile.TarFile) -> None:
    standard, packages = (Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))
    executable = Path(os.path.realpath(sys.executable))
    unused = {str(path) for pattern in _UNUSED for path in standard.glob(pattern)}
    write_base(archive)
    archive.add(standard, filter=lambda member: None if f"/{member.name}" in unused else member)
    archive.add(executable)
    for path in sorted(packages.iterdir()):
        if not path.name.startswith(_WITHOUT):
            archive.add(path, arcname=f"{_HOME}/lib/{path.name}")
    for name in _PACKAGES:
        archive.add(_ROOT / name, arcname=f"{_HOME}/src/{name}", filter=_without_byte_code)
    archive.add(_HAPROXY)
    inside = set(archive.getnames())
    for library in sorted(
        _libraries([executable, _HAPROXY, *(standard / "lib-dynload").glob("*.so"), *packages.rglob("*.so*")])
    ):
        member = archive.gettarinfo(Path(library).resolve(), arcname=library)
        if member.name not in inside:
            with Path(library).open("rb") as content:
                archive.addfile(member, content)
    script = f'#!/bin/sh\nPYTHONPATH=/{_HOME}/src:/{_HOME}/lib exec {executable} "$@"\n'.encode()
    member = tarfile.TarInfo(f"{_HOME}/bin/python")
    member.size, member.mode = len(script), 0o755
    archive.addfile(member, io.BytesIO(script))


def _without_byte_code(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def _libraries(programs: list[Path]) -> set[str]:
    """Return what programs and modules are linked with, except for what is in the image anyway."""
    said = subprocess.run(
        ["ldd", *programs], capture_output=True, text=True, check=False
    )  # some may lack theirs
    inside = Path(sys.prefix)
    return {path for path in _LINKED.findall(said.stdout) if not Path(path).is_relative_to(inside)}
