"""An extension API server, as somebody could write one: a program of its own that an APIService leads to.

    python -m tests.support.extension_server --apiserver URL --ca FILE --cert FILE --key FILE --listen HOST:PORT [--plural flunders]

It serves `flunders` of wardle.example.com/v1alpha1: in namespaces, kept in memory, with list, get, create, update, delete,
deletecollection and watch, a Table, and an upgraded connection at …/<name>/echo. It believes the front proxy that the ConfigMap
kube-system/extension-apiserver-authentication names; others show a token, which the apiserver reviews. What either may do, the
apiserver says (SubjectAccessReview).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import ssl
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

GROUP, VERSION = "wardle.example.com", "v1alpha1"
ROOT = f"/apis/{GROUP}/{VERSION}"
VERBS = ["create", "delete", "deletecollection", "get", "list", "update", "watch"]
_VERBS = {"GET": ("get", "list"), "POST": ("create", "create"), "PUT": ("update", "update")}
_PREFIX = "X-Remote-Extra-"


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)


def failure(code: int, reason: str, message: str) -> web.Response:
    """Return a Status."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response({**status, "metadata": {}, "code": code}, status=code)


class Delegated:
    """Asks the apiserver who somebody is, and what they may do."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._allowed_names: list[str] = []

    async def trust(self) -> str:
        """Read whom to believe; return the certificates of the front proxy's CA."""
        place = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        async with self._session.get(f"{self._url}{place}") as answer:
            answer.raise_for_status()
            data = (await answer.json())["data"]
        self._allowed_names = json.loads(data["requestheader-allowed-names"])
        assert json.loads(data["requestheader-username-headers"]) == ["X-Remote-User"]
        return str(data["requestheader-client-ca-file"])

    async def caller(self, request: web.Request) -> Caller | None:
        """Return who asks; None where they do not say, or prove it by nothing."""
        transport = request.transport
        peer = transport.get_extra_info("peercert") if transport is not None else None
        name = next(
            (value for rdn in (peer or {}).get("subject", ()) for key, value in rdn if key == "commonName"),
            "",
        )
        if name and name in self._allowed_names:
            return _vouched_for(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = (await self._post("/apis/authentication.k8s.io/v1/tokenreviews", review))["status"]
        user = status.get("user") or {}
        return Caller(user["username"], tuple(user["groups"])) if status.get("authenticated") else None

    async def may(self, caller: Caller, attributes: dict[str, Any]) -> bool:
        """Whether somebody may do something."""
        spec = {
            "user": caller.name,
            "groups": list(caller.groups),
            "uid": caller.uid,
            "extra": caller.extra,
            **attributes,
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = await self._post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    async def _post(self, path: str, document: Any) -> Any:
        async with self._session.post(f"{self._url}{path}", json=document) as answer:
            answer.raise_for_status()
            return await answer.json()


def _vouched_for(request: web.Request) -> Caller | None:
    headers = request.headers
    if "X-Remote-User" not in headers:
        return None
    extra: dict[str, list[str]] = {}
    for name, value in headers.items():
        if name.startswith(_PREFIX):
            extra.setdefault(unquote(name.removeprefix(_PREFIX)).lower(), []).append(value)
    groups = tuple(headers.getall("X-Remote-Group", []))
    return Caller(headers["X-Remote-User"], groups, headers.get("X-Remote-Uid", ""), extra)


class Flunders:
    """The objects, and who watches them."""

    def __init__(self, plural: str) -> None:
        self.plural = plural
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._revisions = itertools.count(1)
        self.revision = 0
        self._watchers: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def selected(self, namespace: str) -> list[dict[str, Any]]:
        """Return the objects of a namespace, or of all."""
        return [
            obj for (place, _), obj in sorted(self.objects.items()) if not namespace or place == namespace
        ]

    def put(self, namespace: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Keep an object."""
        meta = obj["metadata"]
        before = self.objects.get((namespace, meta["name"]))
        kept = (
            before["metadata"]
            if before
            else {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
        )
        self.revision = next(self._revisions)
        stored = {
            **obj,
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "Flunder",
            "metadata": {**meta, "namespace": namespace, "uid": kept["uid"],
                         "creationTimestamp": kept["creationTimestamp"], "resourceVersion": str(self.revision)},
        }  # fmt: skip
        self.objects[namespace, meta["name"]] = stored
        self._tell("MODIFIED" if before else "ADDED", stored)
        return stored

    def delete(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Forget an object."""
        gone = self.objects.pop((namespace, name), None)
        if gone is not None:
            self.revision = next(self._revisions)
            gone["metadata"]["resourceVersion"] = str(self.revision)
            self._tell("DELETED", gone)
        return gone

    def _tell(self, kind: str, obj: dict[str, Any]) -> None:
        for watcher in self._watchers:
            watcher.put_nowait({"type": kind, "object": obj})

    async def watch(self, request: web.Request, namespace: str) -> web.StreamResponse:
        """Send what there is, where no revision is named, and what changes, until the caller goes."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._watchers.add(queue)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            if not request.query.get("resourceVersion"):
                for obj in self.selected(namespace):
                    queue.put_nowait({"type": "ADDED", "object": obj})
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", "600"))):
                while (event := await queue.get()) is not None:
                    if not namespace or event["object"]["metadata"]["namespace"] == namespace:
                        await response.write(json.dumps(event).encode() + b"\n")
        except TimeoutError:
            pass
        finally:
            self._watchers.discard(queue)
        return response


class Server:
    """Answers requests."""

    def __init__(self, delegated: Delegated, flunders: Flunders) -> None:
        self._delegated = delegated
        self._flunders = flunders

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of anybody."""
        caller = await self._delegated.caller(request)
        if caller is None:
            return failure(401, "Unauthorized", "Unauthorized")
        if request.path == f"{ROOT}/whoami":
            said = {"user": caller.name, "groups": caller.groups, "uid": caller.uid, "extra": caller.extra}
            return web.json_response({**said, "headers": [list(pair) for pair in request.headers.items()]})
        parts = (
            request.path.removeprefix(f"{ROOT}/").split("/") if request.path.startswith(f"{ROOT}/") else []
        )
        if len(parts) == 1 and parts[0] == self._flunders.plural:
            return await self._of_namespace(request, caller, "", "", "")
        if len(parts) in {3, 4, 5} and parts[0] == "namespaces" and parts[2] == self._flunders.plural:
            name, part = [*parts[3:], "", ""][:2]
            return await self._of_namespace(request, caller, parts[1], name, part)
        attributes = {"nonResourceAttributes": {"path": request.path, "verb": request.method.lower()}}
        if not await self._delegated.may(caller, attributes):
            return failure(
                403, "Forbidden", f'User "{caller.name}" cannot {request.method} path "{request.path}"'
            )
        return self._page(request)

    def _page(self, request: web.Request) -> web.Response:
        match request.path:
            case "/apis":
                return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
            case path if path == ROOT:
                return web.json_response(self._resources())
            case "/openapi/v2":
                return web.json_response(self._openapi_v2())
            case "/openapi/v3":
                place = {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=F1"}
                return web.json_response({"paths": {ROOT.lstrip("/"): place}})
            case path if path == f"/openapi/v3{ROOT}":
                return web.json_response(self._openapi_v3())
        return failure(404, "NotFound", "the server could not find the requested resource")

    def _resources(self) -> dict[str, Any]:
        plural = self._flunders.plural
        about = {
            "name": plural,
            "singularName": "flunder",
            "namespaced": True,
            "kind": "Flunder",
            "verbs": VERBS,
        }
        echo = {
            "name": f"{plural}/echo",
            "singularName": "",
            "namespaced": True,
            "kind": "Flunder",
            "verbs": ["get"],
        }
        resources = [{**about, "shortNames": ["fl"], "categories": ["all"]}, echo]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{GROUP}/{VERSION}",
            "resources": resources,
        }

    def _schema(self) -> dict[str, Any]:
        reference = {"type": "string", "description": "What it stands for."}
        spec = {
            "type": "object",
            "description": "What a flunder is to be.",
            "properties": {"reference": reference},
        }
        return {
            "type": "object",
            "description": "A Flunder is an example.",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
            },
            "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
        }

    def _paths(self) -> dict[str, Any]:
        kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
        operation = {"operationId": "listFlunders", "x-kubernetes-action": "list", "x-kubernetes-group-version-kind": kind,
                     "responses": {"200": {"description": "OK"}}}  # fmt: skip
        return {f"{ROOT}/{self._flunders.plural}": {"get": operation}}

    def _openapi_v2(self) -> dict[str, Any]:
        definitions = {"com.example.wardle.v1alpha1.Flunder": self._schema()}
        return {
            "swagger": "2.0",
            "info": {"title": "wardle", "version": "1"},
            "paths": self._paths(),
            "definitions": definitions,
        }

    def _openapi_v3(self) -> dict[str, Any]:
        schemas = {"com.example.wardle.v1alpha1.Flunder": self._schema()}
        return {
            "openapi": "3.0.0",
            "info": {"title": "wardle", "version": "1"},
            "paths": self._paths(),
            "components": {"schemas": schemas},
        }

    async def _of_namespace(
        self, request: web.Request, caller: Caller, namespace: str, name: str, part: str
    ) -> web.StreamResponse:
        one, many = _VERBS.get(request.method, ("delete", "deletecollection"))
        verb = "watch" if request.query.get("watch") in {"1", "true"} else one if name else many
        attributes = {"verb": verb, "group": GROUP, "version": VERSION, "resource": self._flunders.plural,
                      "namespace": namespace, "name": name, "subresource": part}  # fmt: skip
        if not await self._delegated.may(caller, {"resourceAttributes": attributes}):
            text = (
                f'{self._flunders.plural}.{GROUP} is forbidden: User "{caller.name}" cannot {verb} resource'
            )
            return failure(403, "Forbidden", text)
        return await self._do(request, verb, namespace, name, part)

    async def _do(
        self, request: web.Request, verb: str, namespace: str, name: str, part: str
    ) -> web.StreamResponse:
        flunders = self._flunders
        if part == "echo":
            return await _echo(request)
        if verb == "watch":
            return await flunders.watch(request, namespace)
        if verb in {"create", "update"}:
            return await self._write(request, verb, namespace)
        if not name:
            found = flunders.selected(namespace)
        else:
            found = [each for each in flunders.selected(namespace) if each["metadata"]["name"] == name]
            if not found:
                return failure(404, "NotFound", f'{flunders.plural}.{GROUP} "{name}" not found')
        if verb in {"delete", "deletecollection"}:
            for obj in found:
                flunders.delete(obj["metadata"]["namespace"], obj["metadata"]["name"])
        is_table = "as=Table" in request.headers.get("Accept", "")
        return web.json_response(found[0]) if name and not is_table else self._list(request, found)

    async def _write(self, request: web.Request, verb: str, namespace: str) -> web.Response:
        obj = await request.json()
        name = obj["metadata"]["name"]
        if verb == "create" and (namespace, name) in self._flunders.objects:
            text = f'{self._flunders.plural}.{GROUP} "{name}" already exists'
            return failure(409, "AlreadyExists", text)
        return web.json_response(self._flunders.put(namespace, obj), status=201 if verb == "create" else 200)

    def _list(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        meta = {"resourceVersion": str(self._flunders.revision)}
        if "as=Table" in request.headers.get("Accept", ""):
            columns = [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
                       {"name": "Reference", "type": "string", "format": "", "description": "", "priority": 0}]  # fmt: skip
            rows = [
                {"cells": [obj["metadata"]["name"], (obj.get("spec") or {}).get("reference", "")],
                 "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}}
                for obj in items
            ]  # fmt: skip
            return web.json_response(
                {
                    "kind": "Table",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta,
                    "columnDefinitions": columns,
                    "rows": rows,
                }
            )
        return web.json_response(
            {"kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": meta, "items": items}
        )


async def _echo(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    if not socket.can_prepare(request):
        return failure(400, "BadRequest", "Upgrade request required")
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(f"echo {message.data}")
    return socket


async def main(arguments: argparse.Namespace) -> None:
    """Serve until killed; says its address when it does."""
    outgoing = ssl.create_default_context(cafile=arguments.ca)
    outgoing.load_cert_chain(arguments.client_cert, arguments.client_key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=outgoing)) as session:
        delegated = Delegated(session, arguments.apiserver)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=await delegated.trust())
        context.load_cert_chain(arguments.cert, arguments.key)
        context.verify_mode = ssl.CERT_OPTIONAL
        application = web.Application(client_max_size=64 * 1024 * 1024)
        server = Server(delegated, Flunders(arguments.plural))
        application.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        host, _, port = arguments.listen.rpartition(":")
        await web.TCPSite(runner, host, int(port), ssl_context=context).start()
        sys.stdout.write(f"{host}:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for flag in ("apiserver", "ca", "cert", "key", "client-cert", "client-key", "listen"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--plural", default="flunders")
    asyncio.run(main(parser.parse_args()))
