"""One request at both doors of an apiserver, without a network: what each of them answers, to be compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import grpc.aio
import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

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
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.services import Stub
from machinery.wire.status import from_rpc
from tests.support.apiserver import RegistryBench
from tests.support.local_channel import LocalChannel, ServerTasks

_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH"}
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
    stub: Stub
    server: ServerTasks
    caller: _Everybody

    async def rest(self, asked: Asked) -> Answered:
        """Ask the REST door."""
        self.caller.user = asked.user
        patch = {"Content-Type": asked.patch_type.value} if asked.verb == "patch" else {}
        method = _METHODS.get(asked.verb, "DELETE")
        query = {key: str(value) for key, value in asked.selection.items()}
        body = asked.body
        if method == "DELETE":
            body = msgspec.json.encode({**asked.deleting, "dryRun": ["All"]})
        elif method != "GET":
            query |= {"dryRun": "All", "fieldManager": "test", "fieldValidation": "Ignore"}
        url = f"{asked.path}?{urlencode(query)}"
        headers = CIMultiDictProxy(CIMultiDict(patch))
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
            await getattr(self.stub, method)(_message(asked))
        except grpc.aio.AioRpcError as error:
            found = from_rpc(error)
            return Answered(found.code, found.to_status())
        return Answered(200, None)

    async def listed(self, asked: Asked) -> list[str]:
        """Return the names in a list of the gRPC door."""
        self.caller.user = asked.user
        items = (await self.stub.List(_message(asked))).items
        return [msgspec.json.decode(item.json)["metadata"]["name"] for item in items]


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


@asynccontextmanager
async def both_doors(bench: RegistryBench) -> AsyncIterator[BothDoors]:
    """Put both doors before a registry."""
    core, caller, server, metrics = bench.core, _Everybody(), ServerTasks(), Metrics()
    services = RestServices(
        name="apiserver",
        catalogue=core.catalogue,
        registry=core.registry,
        gate=core.gate,
        authenticator=caller,  # type: ignore[arg-type]  # this is all that doors ask of it
        token_key=core.token_key,
        kubelets=core.kubelets,
        clock=bench.clock,
        log=Log("apiserver", "error"),
        metrics=metrics,
        health=Health(metrics),
    )
    handler = resources_handler(core.catalogue, core.registry, core.gate, caller)  # type: ignore[arg-type]
    stub = Stub(LocalChannel([handler], server), SERVICE, SERVICE_PATH)
    try:
        yield BothDoors(Door(services, Limits()), stub, server, caller)
    finally:
        await server.aclose()
    assert not server.bugs, server.bugs
