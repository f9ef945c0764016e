"""Where the apiserver is, and as whom to come, for a process in a pod: by what the kubelet puts into every container.

The environment names the Service `kubernetes`, a folder has the token of the pod's ServiceAccount and the authority. The
token is renewed in place, so whoever uses it reads it again (`machinery.client.rest_transport.Token`).

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST: Final = "KUBERNETES_SERVICE_HOST"
PORT: Final = "KUBERNETES_SERVICE_PORT"


class InCluster(NamedTuple):
    """What a pod is told of its cluster."""

    server: str  # the https:// URL of the REST door
    ca_file: str
    token_file: str


def in_cluster(environment: Mapping[str, str], account: Path = ACCOUNT) -> InCluster:
    """Return what the environment of a pod and the folder of its ServiceAccount say. The files are not read.

    Raises:
        LookupError: this is no pod, or one that does not get its account's token; the text says what is missing.
    """
    for name in (HOST, PORT):
        if not environment.get(name):
            raise LookupError(f"{name} is not set: this is no pod of a cluster")
    files = account / "ca.crt", account / "token"
    for file in files:
        if not file.exists():
            raise LookupError(f"{file} does not exist: the pod may have automountServiceAccountToken: false")
    host, port = environment[HOST], environment[PORT]
    authority, token = map(str, files)
    return InCluster(f"https://{f'[{host}]' if ':' in host else host}:{port}", authority, token)
