"""Stand-in images, built from the machine's static busybox: no registry is asked.

They bear the names that the manifests use. `build_all` is idempotent, and quick where the images are there: a label
with a digest of what an image is made of tells whether it is the present one. A real image that the user has pulled
under one of the names is left alone: it does as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

LABEL = "dev.kubarium.stand-in"
_LOCK = Path("/tmp/kubarium-stand-ins.lock")
REAL = "real"  # not ours: somebody pulled it

# A well-behaved web application: on SIGTERM it goes on serving until the endpoints have followed, then exits 0.
WEB_APP = """#!/bin/sh
mkdir -p /tmp/www || exit 1
printf '%s %s\\n' "${POD_NAME:-$(hostname)}" "$VERSION" >/tmp/www/index.html
echo ok >/tmp/www/health
echo ok >/tmp/www/ready
httpd -f -p 8080 -h /tmp/www &
server=$!
trap 'sleep 3; kill $server; exit 0' TERM
echo "serving $VERSION"
while kill -0 $server 2>/dev/null; do wait $server; done
"""
NGINX = """#!/bin/sh
httpd -f -p 80 -h /usr/share/nginx/html &
server=$!
trap 'sleep 1; kill $server; exit 0' TERM QUIT
while kill -0 $server 2>/dev/null; do wait $server; done
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """An image: its name, what is in it beside busybox, and how it starts."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ('CMD ["sh"]',)


def stand_ins() -> list[StandIn]:
    """List every image that tests and examples run."""
    busybox = [StandIn(f"busybox:{tag}", {"etc/stand-in": tag}) for tag in ("1.36", "1.37", "latest")]
    web = [
        StandIn(
            f"myregistry/web-app:{version}",
            {"bin/web-app": WEB_APP},
            ('CMD ["/bin/web-app"]', f"ENV VERSION={version}", "EXPOSE 8080"),
        )
        for version in ("v1.0.0", "v1.1.0")
    ]
    nginx = [
        StandIn(
            f"nginx:{tag}",
            {
                "bin/nginx": NGINX,
                "usr/share/nginx/html/index.html": f"<h1>Welcome to nginx!</h1> (a stand-in for {tag})\n",
            },
            ('CMD ["/bin/nginx"]', "EXPOSE 80"),
        )
        for tag in ("1.25", "1.26", "latest")
    ]
    alpine = StandIn("alpine:3.24.2", {"etc/stand-in": "3.24.2"})  # Airflow's sidecar
    return [*busybox, *web, *nginx, alpine]


def build_all() -> None:
    """Make the images that the engine does not have yet; of several runs at once, one makes them."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        here = present([image.name for image in stand_ins()])
        for image in stand_ins():
            digest = _digest(image)
            if here.get(image.name, "") not in {digest, REAL}:
                _import(image, digest)


def busybox_path() -> Path:
    """Return the machine's static busybox.

    Raises:
        FileNotFoundError: there is none (Debian's package busybox-static has it).
    """
    found = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
    if found is None:
        raise FileNotFoundError("no busybox on this machine: install busybox-static")
    return Path(found)


def present(wanted: Iterable[str]) -> dict[str, str]:
    """Return which of the names the engine has: name → digest, or REAL."""
    found = set(_docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split())
    names = [name for name in wanted if name in found]
    if not names:
        return {}
    form = '{{with .Config.Labels}}{{index . "' + LABEL + '"}}{{end}}'
    lines = _docker("image", "inspect", "--format", form, *names).splitlines()
    return {name: line.strip() or REAL for name, line in zip(names, lines, strict=True)}


def _import(image: StandIn, digest: str) -> None:
    changes = [*image.changes, "ENV PATH=/bin:/sbin:/usr/bin:/usr/sbin", f"LABEL {LABEL}={digest}"]
    flags = [flag for change in changes for flag in ("--change", change)]
    _docker("import", *flags, "-", image.name, stdin=_archive(image))


def _digest(image: StandIn) -> str:
    described = json.dumps([sorted(image.files.items()), image.changes, busybox_path().stat().st_size])
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _archive(image: StandIn) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        write_base(archive)
        for path, text in image.files.items():
            _add(archive, path, text.encode(), 0o755 if path.startswith("bin/") else 0o644)
    return buffer.getvalue()


def write_base(archive: tarfile.TarFile) -> None:
    """Write what every stand-in has: folders, busybox under all its names, two users."""
    program = busybox_path()
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for folder in ("bin", "sbin", "etc", "tmp", "root", "usr", "usr/bin", "usr/share", "var", "home"):
        member = tarfile.TarInfo(folder)
        member.type, member.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
        archive.addfile(member)
    _add(archive, "bin/busybox", program.read_bytes(), 0o755)
    for applet in applets:
        if applet != "busybox":
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n"
    _add(archive, "etc/passwd", passwd, 0o644)
    _add(archive, "etc/group", b"root:x:0:\nnobody:x:65534:\n", 0o644)


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _docker(*arguments: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout.decode()
