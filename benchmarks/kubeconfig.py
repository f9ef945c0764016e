"""The server that a kubeconfig's current context names, and how to get in."""

from __future__ import annotations

import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Server:
    """An apiserver, as a client reaches it."""

    url: str
    tls: ssl.SSLContext
    headers: Mapping[str, str]  # that say who asks, where no certificate does


def read(path: Path) -> Server:
    """Read a kubeconfig.

    Raises:
        ValueError: it has no current context, or names a user who runs a program to get in.
        OSError: a file that it names cannot be read.
    """
    config = yaml.safe_load(path.read_text())
    context = _named(config, "contexts", config.get("current-context", ""))["context"]
    cluster = _named(config, "clusters", context["cluster"])["cluster"]
    user = _named(config, "users", context["user"])["user"]
    if "exec" in user or "auth-provider" in user:
        raise ValueError(
            f"{path}: the user {context['user']} runs a program to get in, which is not built here"
        )
    tls = ssl.create_default_context(cadata=_data(cluster, "certificate-authority", path))
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _data(user, "client-certificate", path), _data(user, "client-key", path)
    if certificate and key:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:  # it is read from files only
            both.write(f"{certificate}\n{key}\n")
            both.flush()
            tls.load_cert_chain(both.name)
    token = user.get("token") or ""
    return Server(cluster["server"].rstrip("/"), tls, {"Authorization": f"Bearer {token}"} if token else {})


def _named(config: Mapping[str, Any], what: str, name: str) -> dict[str, Any]:
    for each in config.get(what) or ():
        if each.get("name") == name:
            found: dict[str, Any] = each
            return found
    raise ValueError(f"the kubeconfig has no {name!r} among its {what}")


def _data(given: Mapping[str, Any], name: str, beside: Path) -> str | None:
    """Return what stands in a field, or in the file that another one names."""
    if text := given.get(f"{name}-data"):
        return b64decode(text).decode()
    file = given.get(name)
    return Path(beside.parent, file).read_text() if file else None
