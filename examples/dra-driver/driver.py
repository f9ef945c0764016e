"""A driver of simulated cards: it tells of them in a ResourceSlice, and gives them to containers as variables.

    ResourceSlice   the node's cards, with a model and some memory
    kubelet         registers it (plugins_registry), then has it prepare and put away claims
    CDI             for each claim a spec in --cdi-dir, which the node's runtime reads: CARD_<request>=<card>, CARD_MODEL=<model>

One process a node, with the rights of whoever has the kubeconfig; in a cluster of your own it is what a DaemonSet would run.
What a claim was given stands in its spec file, so a driver that is killed and started again goes on where it was.

    python driver.py --node node-1 --kubelet-root …/kubelet --kubeconfig … [--cards 1] [--cdi-dir /var/run/cdi]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from machinery.process.server import grpc_server
from machinery.wire import dra_plugin, plugin_registration
from machinery.wire.services import handler

DRIVER = "cards.example.com"
KIND = f"{DRIVER}/card"  # of the CDI devices
MODEL = "K1"
WAIT_S = 10.0
SLICES = "/apis/resource.k8s.io/v1/resourceslices"


class Api:
    """The apiserver, as a kubeconfig with a client certificate reaches it."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        self._tls = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority").decode())
        with tempfile.NamedTemporaryFile() as both:
            both.write(_pem(user, "client-certificate") + b"\n" + _pem(user, "client-key"))
            both.flush()
            self._tls.load_cert_chain(both.name)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the apiserver answers.

        Raises:
            HTTPError: it refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._server + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=WAIT_S, context=self._tls) as answer:
            return json.load(answer)


def _pem(holder: dict[str, str], name: str) -> bytes:
    data = holder.get(f"{name}-data")
    return base64.b64decode(data) if data else Path(holder[name]).read_bytes()


def slice_of(node: str, cards: int) -> dict[str, Any]:
    """Return what there is on a node."""
    attributes, capacity = {"model": {"string": MODEL}}, {"memory": {"value": "8Gi"}}
    devices = [
        {"name": f"card-{number}", "attributes": attributes, "capacity": capacity} for number in range(cards)
    ]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node}-{DRIVER}"},
        "spec": {
            "driver": DRIVER,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": devices,
        },
    }


def publish(api: Api, wanted: dict[str, Any]) -> None:
    """Write a slice, in place of an older one."""
    path = f"{SLICES}/{wanted['metadata']['name']}"
    try:
        known = api.call("GET", path)
    except HTTPError:
        api.call("POST", SLICES, wanted)
        return
    api.call("PUT", path, {**wanted, "metadata": known["metadata"]})


class Driver:
    """Answers the kubelet (dra v1); the methods have the protocol's names."""

    def __init__(self, api: Api, specs: Path) -> None:
        self._api = api
        self._specs = specs

    async def NodePrepareResources(self, request: Any, _context: object) -> Any:  # noqa: N802
        """Prepare claims; one that cannot be is answered with an error."""
        answer = dra_plugin.messages.NodePrepareResourcesResponse()
        for claim in request.claims:
            one = answer.claims[claim.uid]
            try:
                one.devices.extend(await asyncio.to_thread(self._prepare, claim))
            except (OSError, LookupError) as error:
                one.error = str(error)
        return answer

    async def NodeUnprepareResources(self, request: Any, _context: object) -> Any:  # noqa: N802
        """Put claims away; those that are already are fine."""
        answer = dra_plugin.messages.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            self._spec(claim.uid).unlink(missing_ok=True)
            answer.claims[claim.uid].SetInParent()
        return answer

    def _prepare(self, claim: Any) -> list[Any]:
        path = f"/apis/resource.k8s.io/v1/namespaces/{claim.namespace}/resourceclaims/{claim.name}"
        found = self._api.call("GET", path)
        if found["metadata"]["uid"] != claim.uid:
            raise LookupError(f"claim {claim.namespace}/{claim.name} is another one by now")
        results = found["status"]["allocation"]["devices"]["results"]
        own = [each for each in results if each["driver"] == DRIVER]
        self._specs.mkdir(parents=True, exist_ok=True)
        draft = self._spec(claim.uid).with_suffix(".draft")
        draft.write_text(json.dumps(spec(claim.uid, own)))
        draft.replace(self._spec(claim.uid))
        return [
            dra_plugin.messages.Device(
                request_names=[each["request"]],
                pool_name=each["pool"],
                device_name=each["device"],
                cdi_device_ids=[f"{KIND}={claim.uid}-{each['device']}"],
            )
            for each in own
        ]

    def _spec(self, uid: str) -> Path:
        return self._specs / f"{DRIVER}-{uid}.json"


def spec(uid: str, results: Iterable[dict[str, str]]) -> dict[str, Any]:
    """Return the CDI spec of a claim: a device for each that it has got."""
    devices = [
        {"name": f"{uid}-{each['device']}", "containerEdits": {"env": [_variable(each)]}} for each in results
    ]
    edits = {"env": [f"CARD_MODEL={MODEL}"]}
    return {"cdiVersion": "0.6.0", "kind": KIND, "devices": devices, "containerEdits": edits}


def _variable(result: dict[str, str]) -> str:
    name = result["request"].upper().replace("-", "_").replace("/", "_")
    return f"CARD_{name}={result['device']}"


class Registration:
    """Says to the kubelet who this is (pluginregistration v1)."""

    def __init__(self, endpoint: Path) -> None:
        self._endpoint = endpoint

    async def GetInfo(self, _request: object, _context: object) -> Any:  # noqa: N802
        """Return type, name and versions."""
        return plugin_registration.messages.PluginInfo(
            type=dra_plugin.TYPE,
            name=DRIVER,
            endpoint=str(self._endpoint),
            supported_versions=[dra_plugin.VERSION],
        )

    async def NotifyRegistrationStatus(self, status: Any, _context: object) -> Any:  # noqa: N802
        """Print what came of it."""
        print("registered" if status.plugin_registered else f"refused: {status.error}", flush=True)
        return plugin_registration.messages.RegistrationStatusResponse()


async def run(asked: argparse.Namespace) -> None:
    """Publish the cards, and serve until cancelled."""
    api = Api(asked.kubeconfig)
    await asyncio.to_thread(publish, api, slice_of(asked.node, asked.cards))
    endpoint = asked.kubelet_root / "plugins" / DRIVER / "dra.sock"
    socket = asked.kubelet_root / "plugins_registry" / f"{DRIVER}-reg.sock"
    for each in (endpoint, socket):
        each.parent.mkdir(parents=True, exist_ok=True)
    plugin = handler(dra_plugin.SERVICE, dra_plugin.SERVICE_PATH, Driver(api, asked.cdi_dir))
    registration = handler(
        plugin_registration.SERVICE, plugin_registration.SERVICE_PATH, Registration(endpoint)
    )
    servers = [grpc_server([f"unix:{endpoint}"], None, [plugin])]
    servers.append(grpc_server([f"unix:{socket}"], None, [registration]))
    try:
        for server in servers:
            await server.start()
        await asyncio.get_running_loop().create_future()
    finally:
        for server in reversed(servers):
            await server.stop(None)


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A driver of simulated cards.")
    parser.add_argument("--node", required=True, help="the node that it runs on")
    parser.add_argument("--kubelet-root", type=Path, required=True, help="the folder of the node's kubelet")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="how the apiserver is reached")
    parser.add_argument("--cards", type=int, default=1, help="how many there are")
    parser.add_argument("--cdi-dir", type=Path, default=Path("/var/run/cdi"), help="where CDI specs go")
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        asyncio.run(run(arguments(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(130)
