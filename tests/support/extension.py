"""Runs an extension server as a process, and writes what leads an apiserver to it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from apiserver.core.values import Json
from kubarium.core.certificates import Certificate
from kubarium.core.components import FRONT_PROXY
from kubarium.identity.pki import Pki
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource
from tests.support.apiserver import Served
from tests.support.custom_resources import Custom
from tests.support.extension_server import GROUP, VERSION

NAME = f"{VERSION}.{GROUP}"
HOST = "wardle.default.svc"
SERVING = Certificate("wardle", "wardle", hosts=(HOST,))
CLIENT = Certificate("wardle-client", "wardle")
API_SERVICES: Resource[Custom] = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False, type=Custom
)


def front_proxy(pki: Pki) -> dict[str, Any]:
    """Return the fields of an apiserver's configuration by which it passes requests on under its own certificate."""
    for certificate in (FRONT_PROXY, SERVING, CLIENT):
        pki.ensure(certificate)
    return {
        "proxy_client_cert_file": str(pki.certificate(FRONT_PROXY.name)),
        "proxy_client_key_file": str(pki.key(FRONT_PROXY.name)),
        "requestheader_client_ca_file": str(pki.certificate(FRONT_PROXY.authority)),
        "requestheader_allowed_names": (FRONT_PROXY.common_name,),
    }


class ExtensionServer:
    """One process; `port` is where it listened first, and does again after `restart`."""

    def __init__(self, apiserver: str, pki: Pki) -> None:
        self._apiserver = apiserver
        self._pki = pki
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; return when it serves."""
        pki = self._pki
        files = {
            "ca": pki.certificate("ca"),
            "cert": pki.certificate(SERVING.name),
            "key": pki.key(SERVING.name),
            "client-cert": pki.certificate(CLIENT.name),
            "client-key": pki.key(CLIENT.name),
        }
        flags = [f"--{flag}={path}" for flag, path in files.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.extension_server", f"--apiserver={self._apiserver}",
             f"--listen=127.0.0.1:{self.port}", *flags],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(":")[2])

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Stop it with SIGSTOP: it takes connections, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


@contextmanager
def extension_server(apiserver: str, pki: Pki) -> Iterator[ExtensionServer]:
    """Make a server that is killed at the end; it is not started yet."""
    server = ExtensionServer(apiserver, pki)
    try:
        yield server
    finally:
        server.kill()


def service(name: str = "wardle", **spec: Any) -> Json:
    """Return a Service without a selector."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"name": "api", "port": 443}], **spec},
    }


def api_service(pki: Pki, name: str = NAME, **spec: Any) -> Custom:
    """Return the APIService that leads to the Service `wardle`."""
    version, _, group = name.partition(".")
    own = {
        "group": group,
        "version": version,
        "service": {"namespace": "default", "name": "wardle"},
        "caBundle": base64.b64encode(pki.certificate("ca").read_bytes()).decode(),
        "groupPriorityMinimum": 2000,
        "versionPriority": 10,
        **spec,
    }
    kept = {key: value for key, value in own.items() if value is not None}
    meta = ObjectMeta(name=name)
    return Custom(apiVersion="apiregistration.k8s.io/v1", kind="APIService", metadata=meta, spec=kept)


async def lead_to(served: Served, port: int, name: str = "wardle", namespace: str = "default") -> None:
    """Write the endpoints of a Service; an address of loopback, which no client may write, lies in the store."""
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "api", "port": port, "protocol": "TCP"}],
    }
    await served.core.storage.create(
        f"/registry/endpointslices/{namespace}/{name}-1", msgspec.json.encode(slice_)
    )
