"""A registry of one image, on the machine's loopback, that wants credentials: what the engine asks of one, and no more."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import secrets
import tarfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PASSWORD = "somebody", "knows"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@contextlib.contextmanager
def private_registry() -> Iterator[str]:
    """Serve an image that no other registry has; yield its name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(_image())) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}/team/app:1"
        finally:
            server.shutdown()
            thread.join()


def _handler(contents: dict[str, tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    wanted = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self._answer(401, "application/json", b"{}", {"WWW-Authenticate": 'Basic realm="private"'})
            elif self.path == "/v2/":
                self._answer(200, "application/json", b"{}", {})
            elif found := contents.get(self.path.removeprefix("/v2/team/app/")):
                self._answer(200, *found, {"Docker-Content-Digest": _digest(found[1])})
            else:
                self._answer(404, "application/json", b"{}", {})

        do_HEAD = do_GET

        def _answer(self, status: int, type_: str, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            known = {"Content-Type": type_, "Content-Length": str(len(body))}
            for name, value in {
                **known,
                "Docker-Distribution-Api-Version": "registry/2.0",
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the server has
            return

    return Handler


def _image() -> dict[str, tuple[str, bytes]]:
    """Make an image: what is asked for → its type and content."""
    layer = _layer()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["true"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs = [json.dumps(config).encode(), gzip.compress(layer)]
    types = [
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ]
    described = [
        {"mediaType": type_, "size": len(blob), "digest": _digest(blob)}
        for type_, blob in zip(types, blobs, strict=True)
    ]
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described[0], "layers": described[1:]}
    ).encode()
    by_path = {f"blobs/{_digest(blob)}": ("application/octet-stream", blob) for blob in blobs}
    return {
        **by_path,
        "manifests/1": (_MANIFEST, manifest),
        f"manifests/{_digest(manifest)}": (_MANIFEST, manifest),
    }


def _layer() -> bytes:
    """Return a tar with one file, which no other image has."""
    content, file = secrets.token_bytes(16), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("unique")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
