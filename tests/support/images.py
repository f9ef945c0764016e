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
trap 'sleep 10; kill $server; exit 0' TERM
echo "serving $VERSION"
while kill -0 $server 2>/dev/null; do wait $server; done
"""
# As the real one it writes what it is asked for into a folder for logs, where there is one.
NGINX = """#!/bin/sh
[ -d /var/log/nginx ] && exec 2>>/var/log/nginx/access.log
httpd -f -p 80 -vv -h /usr/share/nginx/html &
server=$!
trap 'sleep 1; kill $server; exit 0' TERM QUIT
while kill -0 $server 2>/dev/null; do wait $server; done
"""
BASH = '#!/bin/sh\nexec sh "$@"\n'
# Any application of the lessons: on the ports that they give it, with the pages that its probes ask for.
APP = """#!/bin/sh
mkdir -p /tmp/www && cd /tmp/www || exit 1
hostname >index.html
touch healthz health ready
for port in 3000 8080; do httpd -f -p $port -h /tmp/www & done
trap 'kill $(jobs -p); exit 0' TERM
echo "listening"
wait
"""
MIGRATE = '#!/bin/sh\n[ "$1 $3" = "-database up" ] && echo "up: $2"\n'
SEED = "#!/bin/sh\necho seeded\n"
# Ships each line of the first file that its configuration names.
FLUENTD = """#!/bin/sh
path=$(sed -n 's/^ *path //p' "/fluentd/etc/$FLUENTD_CONF" 2>/dev/null | head -n 1)
tail -F "${path:-/dev/null}" 2>/dev/null | while read -r line; do echo "to $LOG_DESTINATION: $line"; done &
trap 'exit 0' TERM
wait
"""
# Its configuration has a line for each port: the port, an address, the port there.
ENVOY = """#!/bin/sh
while read -r port to; do nc -ll -p "$port" -e nc $to & done <"$2"
trap 'kill $(jobs -p); exit 0' TERM
wait
"""
# busybox has one, this machine's not.
ADDUSER = """#!/bin/sh
[ "$1 $2" = "-D -u" ] && echo "$4:x:$3:$3::/home/$4:/bin/sh" >>/etc/passwd && echo "$4:x:$3:" >>/etc/group
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """An image: its name, what is in it beside busybox, and how it starts."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ('CMD ["sh"]',)


def stand_ins() -> list[StandIn]:
    """List every image that tests and examples run."""
    busybox = [
        StandIn(f"busybox:{tag}", {"etc/stand-in": tag, "bin/adduser": ADDUSER})
        for tag in ("1.36", "1.37", "latest")
    ]
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
                "bin/bash": BASH,
                "usr/share/nginx/html/index.html": f"<h1>Welcome to nginx!</h1> (a stand-in for {tag})\n",
            },
            ('CMD ["/bin/nginx"]', "EXPOSE 80"),
        )
        for tag in ("1.25", "1.26", "latest")
    ]
    alpine = StandIn("alpine:3.24.2", {"etc/stand-in": "3.24.2"})  # Airflow's sidecar
    return [*busybox, *web, *nginx, alpine, *_of_lessons()]


def _of_lessons() -> list[StandIn]:
    """List the images of tests/system/kubectl/docker that bear the names of introductions to Kubernetes."""
    programs = {
        "migrate:latest": ("bin/migrate", MIGRATE),
        "seeder:latest": ("seed-script.sh", SEED),
        "fluentd:latest": ("bin/fluentd", FLUENTD),
        "fluent/fluentd:latest": ("bin/fluentd", FLUENTD),
        "envoyproxy/envoy:latest": ("usr/local/bin/envoy", ENVOY),
    }
    names = (
        "my-app:1.0",
        "my-app:latest",
        "my-web-app:latest",
        "my-simple-app:latest",
        "my-secure-app:latest",
        "user-service:v2.1",
    )
    apps = [StandIn(name, {"bin/app": APP}, ('CMD ["/bin/app"]', "EXPOSE 8080")) for name in names]
    others = [
        StandIn(name, {path: text}, (f'CMD ["/{path}"]', "WORKDIR /"))
        for name, (path, text) in programs.items()
    ]
    return [*apps, *others]


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
            _add(archive, path, text.encode(), 0o755 if text.startswith("#!") else 0o644)
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
