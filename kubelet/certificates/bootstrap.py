"""As whom a node comes that has no certificate yet: a kubeconfig with a token, as `kubeadm join` writes it.

It is read when it is needed, so that a token in it can be replaced while the kubelet runs.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

from machinery.client.api import Api
from machinery.client.rest_transport import Token, connect_rest
from machinery.client.tls import ClientTls
from machinery.model.clock import Clock
from machinery.model.log import SILENT, EventLog
from machinery.model.seam import Seam


class BadKubeconfigError(ValueError):
    """The bootstrap kubeconfig cannot be used: its file, and what is wrong in it."""


def connect_bootstrap(
    path: Path,
    *,
    ca_file: str,
    folder: Path,
    caller: str,
    clock: Clock,
    seam: Seam | None,
    log: EventLog = SILENT,
) -> Api:
    """Open the door that a bootstrap kubeconfig names, as the user that it names; the caller closes it.

    The authority is `ca_file` where the kubeconfig names none; one that stands in it is written into `folder`.

    Raises:
        BadKubeconfigError: it is no kubeconfig, or names neither a token nor a client certificate.
        OSError: a file cannot be read or written.
    """
    try:
        cluster, user = _current(_load(path))
        server = str(cluster["server"])
        authority = _authority(cluster, ca_file, folder)
        credentials = _credentials(user, authority, str(cluster.get("tls-server-name", "")))
    except (KeyError, TypeError, ValueError) as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else error
        raise BadKubeconfigError(f"the bootstrap kubeconfig {path} cannot be used: {what}") from error
    return connect_rest(server, credentials, caller=caller, clock=clock, seam=seam, log=log)


def _load(path: Path) -> Any:
    import yaml  # which a node does without that has a certificate

    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {error}") from error


def _current(content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the cluster and the user of the current context."""
    context = _named(content, "contexts", content["current-context"])["context"]
    cluster = _named(content, "clusters", context["cluster"])["cluster"]
    return cluster, _named(content, "users", context["user"])["user"]


def _named(content: Any, kind: str, name: str) -> dict[str, Any]:
    for each in content[kind]:
        if each["name"] == name:
            return dict(each)
    raise ValueError(f'{kind} has no "{name}"')


def _authority(cluster: dict[str, Any], ca_file: str, folder: Path) -> str:
    if data := cluster.get("certificate-authority-data"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / "bootstrap-ca.crt"
        file.write_bytes(b64decode(data))
        return str(file)
    return str(cluster.get("certificate-authority") or ca_file)


def _credentials(user: dict[str, Any], authority: str, server_name: str) -> ClientTls | Token:
    if user.get("token") or user.get("tokenFile"):
        file = "" if user.get("token") else str(user["tokenFile"])
        return Token(file, authority, str(user.get("token", "")), server_name)
    if user.get("client-certificate") and user.get("client-key"):
        return ClientTls(authority, str(user["client-certificate"]), str(user["client-key"]), server_name)
    raise ValueError("its user has neither a token, a tokenFile, nor a client-certificate with a client-key")
