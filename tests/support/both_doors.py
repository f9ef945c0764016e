"""One request at both doors of an apiserver, without a network: what each of them answers, to be compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.authentication import Authenticator
from apiserver.core.authz.attributes import Attributes
from apiserver.request import UserInfo
from apiserver.rest.door import Door
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.paths import Target, parse
from apiserver.rest.services import RestServices
from apiserver.services.resources import resources_handler
from machinery.model.requests import PatchType
from machinery.process.health import Health
from machinery.process.logging import Log
from machinery.process.metrics import Metrics
from machinery.process.tls import Peer
from machinery.rpc.status import RpcError
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.rpc_errors import from_rpc
from machinery.wire.stubs import Stub
from tests.support.apiserver import RegistryBench, config_map
from tests.support.local_channel import LocalChannel, ServerTasks

OWNER = UserInfo("owner", groups=("system:authenticated",))
READER = UserInfo("reader", groups=("system:authenticated",))
NODE = UserInfo("system:node:node-1", groups=("system:nodes", "system:authenticated"))
RBAC = "rbac.authorization.k8s.io"

_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH"}
_SELECTORS = (
    "labelSelector",
    "fieldSelector",
)  # all that the gRPC door's DeleteCollection can say of a selection
_RPCS = {"get": "Get", "list": "List", "create": "Create", "update": "Update", "patch": "Patch"}


@dataclass(frozen=True)
class Asked:
    """A request, before it is written for a door. Writes change nothing: they are dry runs."""

    user: UserInfo
    verb: str
    resource: str
    group: str = ""
    version: str = "v1"
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: bytes = b""
    patch_type: PatchType = PatchType.MERGE
    selection: Mapping[str, Any] = field(default_factory=dict)  # in the words of the REST door
    deleting: Mapping[str, Any] = field(default_factory=dict)  # metav1.DeleteOptions
    acting: tuple[tuple[str, str], ...] = ()  # headers: as whom

    @property
    def path(self) -> str:
        """The path at the REST door."""
        root = f"/apis/{quote(self.group, safe='')}" if self.group else "/api"
        place = ["namespaces", self.namespace] if self.namespace else []
        parts = [self.version, *place, self.resource, self.name, self.subresource]
        return "/".join([root, *(quote(part, safe="") for part in parts if part)])

    @property
    def fits_a_path(self) -> bool:
        """Whether the REST door understands by the path what is meant: the verb of a path without a name is another."""
        wanted = (self.group, self.version, self.namespace, self.resource, self.name, self.subresource)
        match parse(self.path):
            case Target() as found if not found.watch and not found.rest:
                place = (found.group, found.version, found.namespace, found.resource)
                is_same = (*place, found.name, found.subresource) == wanted
                return is_same and bool(self.name) == (
                    self.verb not in {"list", "deletecollection", "create"}
                )
            case _:
                return False


class Answered(NamedTuple):
    """What a door answers."""

    code: int  # 200 for everything that is done
    status: Any  # of a failure: its reason, text and details; None where the door has nothing but a code


class _Everybody:
    """Takes everybody for one user."""

    def __init__(self) -> None:
        self.user = UserInfo("nobody")

    def of_peer(self, _peer: Peer) -> UserInfo:
        return self.user


@dataclass(frozen=True)
class BothDoors:
    """The two doors of one registry."""

    door: Door
    channel: LocalChannel
    stub: Stub
    server: ServerTasks
    caller: _Everybody

    async def rest(self, asked: Asked) -> Answered:
        """Ask the REST door."""
        self.caller.user = asked.user
        patch = {"Content-Type": asked.patch_type.value} if asked.verb == "patch" else {}
        method = _METHODS.get(asked.verb, "DELETE")
        said = _SELECTORS if asked.verb == "deletecollection" else asked.selection.keys()
        query = {key: str(value) for key, value in asked.selection.items() if key in said}
        body = asked.body
        if method == "DELETE":
            body = msgspec.json.encode({**asked.deleting, "dryRun": ["All"]})
        elif method != "GET":
            query |= {"dryRun": "All", "fieldManager": "test", "fieldValidation": "Ignore"}
        url = f"{asked.path}?{urlencode(query)}"
        headers = CIMultiDictProxy(CIMultiDict([*patch.items(), *asked.acting]))
        reply = await self.door.answer(HttpRequest(method, url, headers, Peer("somebody"), body))
        if reply.status < 400:
            return Answered(200, None)
        is_status = reply.body.startswith(b"{")
        return Answered(reply.status, msgspec.json.decode(reply.body) if is_status else None)

    async def grpc(self, asked: Asked) -> Answered:
        """Ask the gRPC door."""
        self.caller.user = asked.user
        method = _RPCS.get(asked.verb, "Delete" if asked.verb == "delete" else "DeleteCollection")
        try:
            metadata = tuple((key.lower(), value) for key, value in asked.acting)
            await getattr(self.stub, method)(_message(asked), metadata=metadata)
        except RpcError as error:
            found = from_rpc(error)
            return Answered(found.code, found.to_status())
        return Answered(200, None)

    async def listed(self, asked: Asked) -> list[str]:
        """Return the names in a list of the gRPC door."""
        self.caller.user = asked.user
        items = (await self.stub.List(_message(asked))).items
        return [msgspec.json.decode(item.json)["metadata"]["name"] for item in items]


async def furnish(bench: RegistryBench) -> None:
    """Make what requests may find: `owner` is cluster-admin in one namespace, `reader` may read one object."""
    await bench.create("configmaps", config_map("map", key="value"))
    await bench.create("secrets", {"metadata": {"name": "secret"}, "stringData": {"a": "b"}})
    await bench.create("nodes", {"metadata": {"name": "node-1"}})
    await bench.create(
        "clusterroles",
        {"metadata": {"name": "all"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
    )
    await bind(bench, "owner", {"kind": "ClusterRole", "name": "all"})
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["map"],
        "verbs": ["get", "list"],
    }
    await create(bench, "roles", {"metadata": {"name": "one"}, "rules": [rule]})
    await bind(bench, "reader", {"kind": "Role", "name": "one"})
    mine = Attributes(verb="get", resource="configmaps", namespace="default", name="map")
    while not (await bench.core.gate.authorize(READER, mine)).allowed:
        await asyncio.sleep(0)  # until the gate has seen the last binding


async def bind(bench: RegistryBench, user: str, role: dict[str, Any]) -> None:
    """Bind a role to a user in the namespace `default`."""
    subject = {"kind": "User", "name": user, "apiGroup": RBAC}
    binding = {"metadata": {"name": user}, "roleRef": {**role, "apiGroup": RBAC}, "subjects": [subject]}
    await create(bench, "rolebindings", binding)


async def create(bench: RegistryBench, resource: str, obj: dict[str, Any]) -> None:
    """Create an object of RBAC."""
    body = msgspec.json.encode(obj)
    request = msgspec.structs.replace(bench.request("create", resource), group=RBAC, body=body)
    await bench.registry.create(request)


def _message(asked: Asked) -> Any:
    target = pb.Target(
        group=asked.group,
        version=asked.version,
        resource=asked.resource,
        namespace=asked.namespace,
        name=asked.name,
        subresource=asked.subresource,
    )
    selectors = {
        "label_selector": asked.selection.get("labelSelector", ""),
        "field_selector": asked.selection.get("fieldSelector", ""),
    }
    writing = {"dry_run": True, "field_manager": "test"}
    make = {
        "get": lambda: pb.GetRequest(resource_version=asked.selection.get("resourceVersion", "")),
        "list": lambda: pb.ListRequest(**_page(asked.selection), **selectors),
        "create": lambda: pb.CreateRequest(json=asked.body, **writing),
        "update": lambda: pb.UpdateRequest(json=asked.body, **writing),
        "patch": lambda: pb.PatchRequest(
            type=pb.PatchRequest.Type.Value(asked.patch_type.name), patch=asked.body, **writing
        ),
        "delete": lambda: pb.DeleteRequest(options=_deleting(asked.deleting)),
        "deletecollection": lambda: pb.DeleteCollectionRequest(
            options=_deleting(asked.deleting), **selectors
        ),
    }
    message: Any = make[asked.verb]()
    message.target.CopyFrom(target)
    return message


def _page(selection: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "limit": selection.get("limit", 0),
        "continue": selection.get("continue", ""),
        "resource_version": selection.get("resourceVersion", ""),
        "resource_version_match": selection.get("resourceVersionMatch", ""),
    }


def _deleting(given: Mapping[str, Any]) -> pb.DeleteOptions:
    preconditions = given.get("preconditions", {})
    options = pb.DeleteOptions(
        propagation_policy=given.get("propagationPolicy", ""),
        uid=preconditions.get("uid", ""),
        resource_version=preconditions.get("resourceVersion", ""),
        dry_run=True,
    )
    if "gracePeriodSeconds" in given:
        options.grace_period_seconds = given["gracePeriodSeconds"]
    return options


def rest_services(bench: RegistryBench, authenticator: Authenticator) -> RestServices:
    """Return what the REST door before a registry works with."""
    core, metrics = bench.core, Metrics()
    return RestServices(
        name="apiserver",
        catalogue=core.catalogue,
        registry=core.registry,
        gate=core.gate,
        authenticator=authenticator,
        token_key=core.token_key,
        kubelets=core.kubelets,
        clock=bench.clock,
        log=Log("apiserver", "error"),
        metrics=metrics,
        health=Health(metrics),
        storage_size=core.storage.size_bytes,
    )


@asynccontextmanager
async def both_doors(bench: RegistryBench) -> AsyncIterator[BothDoors]:
    """Put both doors before a registry."""
    core, caller, server = bench.core, _Everybody(), ServerTasks()
    services = rest_services(bench, caller)  # type: ignore[arg-type]  # this is all that doors ask of it
    handler = resources_handler(core.catalogue, core.registry, core.gate, caller)  # type: ignore[arg-type]
    channel = LocalChannel([handler], server)
    try:
        stub = Stub(channel, SERVICE, SERVICE_PATH)
        yield BothDoors(Door(services, Limits()), channel, stub, server, caller)
    finally:
        await server.aclose()
    assert not server.bugs, server.bugs
