"""Stand-ins for images of programs that Debian has: its packages, unpacked over the stand-in of busybox.

The machine's apt downloads them, from where the machine has its own packages from; nothing is installed here, and no
script of a package runs. As those of `images`, they bear a label that tells what they were made of, and a real image
of the same name is left alone: it does as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.images import LABEL, REAL, present

_LOCK = Path("/tmp/kubarium-debian-images.lock")
_BASE = "busybox:1.36"
_UNUSED = ("usr/share/doc", "usr/share/locale", "usr/share/man")
_MADE_BY = "1"  # another one whenever this module makes images otherwise


@dataclass(frozen=True, slots=True)
class DebianImage:
    """An image of a package, and of those that it needs to run.

    Attributes:
        name: what it is called, tag included.
        package: Debian's name of it.
        needs: how the names of the packages begin that it needs to run. The others that it depends on serve the
            scripts that install it.
        without: how the names of those begin that it can do without.
        unused: patterns of files that are left out.
        folders: those that everybody may write to.
        files: what is added, by path; programs where the path begins with `usr/bin/`.
        changes: further lines of the Dockerfile.
    """

    name: str
    package: str
    needs: tuple[str, ...]
    without: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()


# As the real one it is open to all who reach it, and an option is one of the server.
_REDIS_START = """#!/bin/sh
case $1 in -*) set -- redis-server "$@" ;; esac
[ "$1" != redis-server ] || set -- "$@" --protected-mode no
exec "$@"
"""
REDIS = DebianImage(
    "redis:7",
    "redis-server",
    needs=("lib", "redis"),
    folders=("data",),
    files={"usr/bin/start": _REDIS_START},
    changes=('ENTRYPOINT ["start"]', 'CMD ["redis-server"]', "WORKDIR /data", "EXPOSE 6379"),
)

# It makes a database where there is none, and trusts whoever reaches it, as the real one is told to by the manifest.
_POSTGRES_START = """#!/bin/sh
set -e
case $1 in -*) set -- postgres "$@" ;; esac
if [ "$1" = postgres ]; then
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username=postgres --auth=trust --encoding=UTF8
    echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
  fi
  chmod 0700 "$PGDATA"
  set -- "$@" -c 'listen_addresses=*'
fi
exec "$@"
"""
POSTGRES = DebianImage(
    "postgres:15",
    "postgresql-15",
    needs=("lib", "postgresql", "tzdata", "zlib"),
    without=("libllvm",),  # its compiler of queries, which it does without where the module is not there
    unused=("usr/lib/postgresql/15/lib/llvmjit*", "usr/lib/postgresql/15/lib/bitcode"),
    folders=("var/run/postgresql",),
    files={
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n",
        "etc/group": "root:x:0:\npostgres:x:999:\n",
        "usr/bin/start": _POSTGRES_START,
    },
    changes=(
        'ENTRYPOINT ["start"]',
        'CMD ["postgres"]',
        "ENV PATH=/usr/lib/postgresql/15/bin:/bin:/usr/bin PGDATA=/var/lib/postgresql/data",
        "STOPSIGNAL SIGINT",
        "EXPOSE 5432",
    ),
)


def build_debian_image(image: DebianImage) -> None:
    """Make an image, unless the engine has it; of several runs at once, one does. Busybox's stand-in has to be there.

    Raises:
        AssertionError: a command has failed; what it said is in the error.
    """
    digest = hashlib.sha256(json.dumps([_MADE_BY, asdict(image)]).encode()).hexdigest()[:16]
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if present([image.name]).get(image.name, "") not in {digest, REAL}:
            with tempfile.TemporaryDirectory() as folder:
                _build(image, digest, Path(folder))


def _build(image: DebianImage, digest: str, folder: Path) -> None:
    try:
        _download(image, folder)
    except AssertionError:  # no lists of packages, or ones that are older than what there is to download
        _run("apt-get", "update", "-qq")
        _download(image, folder)
    root = folder / "root"
    for package in folder.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(root))
    _finish(image, root)
    lines = [f"FROM {_BASE}", "COPY root /", *image.changes, f"LABEL {LABEL}={digest}"]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    _run("docker", "build", "--quiet", "--tag", image.name, str(folder))


def _download(image: DebianImage, folder: Path) -> None:
    """Download a package and what it needs to run, as files of a folder."""
    said = _run("apt-cache", "depends", "--recurse", "--important", image.package)
    _run("apt-get", "download", "-qq", *_needed(image, _read_dependencies(said)), folder=folder)


def _read_dependencies(said: str) -> dict[str, list[str]]:
    """Read what each package depends on: of alternatives, which all except for the last begin with a bar, the first."""
    found: dict[str, list[str]] = {}
    alternative = False
    for line in said.splitlines():
        if not line.startswith(" "):
            package = found.setdefault(line, [])
        elif "Depends: " in line:
            if not alternative:
                package.append(line.split()[-1])
            alternative = line.startswith(" |")
    return found


def _needed(image: DebianImage, dependencies: dict[str, list[str]]) -> list[str]:
    """Return a package and all that it needs to run."""
    needed = {image.package}
    waiting = [image.package]
    while waiting:
        for name in dependencies.get(waiting.pop(), ()):
            if name.startswith(image.needs) and not name.startswith(image.without) and name not in needed:
                needed.add(name)
                waiting.append(name)
    return sorted(needed)


def _finish(image: DebianImage, root: Path) -> None:
    """Remove what is left out, and add what no package has."""
    for pattern in (*_UNUSED, *image.unused):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not (root / "lib64").exists():  # in a Debian whose packages have all of it in /usr
        (root / "lib64").symlink_to("usr/lib64")
    for name in image.folders:
        (root / name).mkdir(parents=True)
        (root / name).chmod(0o1777)
    for name, text in image.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.startswith("usr/bin/") else 0o644)


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout
