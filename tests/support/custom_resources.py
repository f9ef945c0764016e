"""Definitions and objects of custom resources, and how to bring them to an apiserver."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource
from tests.support.apiserver import Served
from tests.support.waiting import until

GROUP = "toys.example.com"
INTEGER, STRING = {"type": "integer"}, {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "description": "What the toy is to be.",
            "properties": {
                "size": {"type": "integer", "minimum": 1, "default": 3, "description": "How large it is."},
                "color": STRING,
                "tags": {"type": "array", "items": STRING},
            },
        },
        "status": {"type": "object", "properties": {"size": INTEGER, "selector": STRING}},
    },
}


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """An object of any kind as a component reads it."""

    apiVersion: str = f"{GROUP}/v1"
    kind: str = "Toy"
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}


CRDS: Resource[Custom] = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    type=Custom,
)


def resource(version: str = "v1", plural: str = "toys", kind: str = "Toy") -> Resource[Custom]:
    """Return the resource of a definition."""
    return Resource(GROUP, version, plural, kind, namespaced=True, type=Custom)


TOYS = resource()


def version(name: str = "v1", *, stored: bool = True, **more: Any) -> dict[str, Any]:
    """Return one version of a definition."""
    given = {"name": name, "served": True, "storage": stored, "schema": {"openAPIV3Schema": SCHEMA}}
    return {**given, **more}


EVERYTHING: dict[str, Any] = {
    "subresources": {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.size",
            "statusReplicasPath": ".status.size",
            "labelSelectorPath": ".status.selector",
        },
    },
    "additionalPrinterColumns": [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ],
    "selectableFields": [{"jsonPath": ".spec.color"}],
}


def definition(*versions: dict[str, Any], plural: str = "toys", kind: str = "Toy", **spec: Any) -> Custom:
    """Return a definition to create."""
    return Custom(
        apiVersion="apiextensions.k8s.io/v1",
        kind="CustomResourceDefinition",
        metadata=ObjectMeta(name=f"{plural}.{GROUP}"),
        spec={
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(versions) or [version(**EVERYTHING)],
            **spec,
        },
    )


def toy(name: str = "t", *, api_version: str = f"{GROUP}/v1", **spec: Any) -> Custom:
    """Return a Toy to create."""
    return Custom(apiVersion=api_version, metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def condition(found: Custom, kind: str) -> str:
    """Return the status of a condition; "" where there is none."""
    conditions = found.status.get("conditions") or ()
    return next((str(each["status"]) for each in conditions if each["type"] == kind), "")


async def established(api: Api, name: str = f"toys.{GROUP}") -> Custom:
    """Wait until a definition is established, as `kubectl wait` does."""

    async def look() -> Custom | None:
        found = await api.get(CRDS, name)
        return found if condition(found, "Established") == "True" else None

    found = await until(look, what=f"{name} is established")
    assert found is not None
    return found


async def apply(api: Api, made: Custom) -> Custom:
    """Create a definition and wait until it is established."""
    await api.create(CRDS, made)
    return await established(api, made.metadata.name)


async def gone(api: Api, name: str = f"toys.{GROUP}") -> None:
    """Wait until a definition is not there any more."""

    async def look() -> bool:
        try:
            await api.get(CRDS, name)
        except NotFound:
            return True
        return False

    await until(look, what=f"{name} is gone")


async def withdraw_all(api: Api) -> None:
    """Delete every definition that is there, with its objects."""
    for found in (await api.list(CRDS)).items:
        await api.delete(CRDS, found.metadata.name)
        await gone(api, found.metadata.name)


async def refusal(call: Any) -> ApiError:
    """Return the error that a call ends with."""
    try:
        await call
    except ApiError as error:
        return error
    raise AssertionError("it was not refused")


async def told(batches: Any, count: int) -> list[Any]:
    """Return the next events of a watch."""
    events: list[Any] = []
    async with asyncio.timeout(60):
        while len(events) < count:
            events += [each for each in await anext(batches) if each.object]
    return events


class Rest:
    """The REST door as a program without a client library sees it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def __call__(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, path, **options) as response:
            body = await response.read()
            return response.status, json.loads(body) if body[:1] in {b"{", b"["} else body


@asynccontextmanager
async def rest_session(served: Served) -> AsyncIterator[Rest]:
    """Open the admin's HTTP session."""
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    context.load_cert_chain(served.pki.certificate("admin"), served.pki.key("admin"))
    address = f"https://{served.config.rest_listen[0]}"
    async with aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Rest(session)
