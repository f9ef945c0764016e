"""Versions that a webhook converts, over real HTTPS: read, listed, watched and written in each; and webhooks that fail."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.errors import Invalid
from machinery.model.requests import EventType
from tests.support.custom_resources import (
    CRDS,
    GROUP,
    STRING,
    TOYS,
    Rest,
    apply,
    definition,
    refusal,
    resource,
    told,
    toy,
    version,
)
from tests.support.streams import closing
from tests.support.waiting import until
from tests.support.web_server import WebServer, web_server

Json = dict[str, Any]

OLD = f"{GROUP}/v1"
NEW_TOYS = resource("v2")


def schema(**properties: Json) -> Json:
    spec = {"type": "object", "properties": properties}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def versions(stored: str) -> list[Json]:
    """Version 1 has a size, version 2 says how wide and how high."""
    first = version("v1", stored=stored == "v1", schema=schema(size={**STRING, "pattern": "^[0-9]+x[0-9]+$"}))
    number = {"type": "integer", "minimum": 1}
    second = version("v2", stored=stored == "v2", schema=schema(wide=number, high={**number, "default": 9}))
    return [first, second]


def converted(obj: Json, api_version: str) -> Json:
    """Convert an object as the webhook does."""
    spec = obj.get("spec") or {}
    if api_version == OLD:
        spec = {"size": f"{spec['wide']}x{spec['high']}"} if "wide" in spec else {}
    elif "size" in spec:
        wide, _, high = spec["size"].partition("x")
        spec = {"wide": int(wide), "high": int(high)}
    return {**obj, "apiVersion": api_version, "spec": spec}


def answer(_path: str, review: Json) -> Json:
    """Answer a review."""
    asked = review["request"]
    objects = [converted(each, asked["desiredAPIVersion"]) for each in asked["objects"]]
    response = {"uid": asked["uid"], "result": {"status": "Success"}, "convertedObjects": objects}
    return {"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response}


@pytest.fixture
async def webhook(pki: Pki) -> AsyncIterator[WebServer]:
    """A webhook."""
    pki.ensure(Certificate("webhook", "webhook", hosts=("localhost", "127.0.0.1")))
    async with web_server(pki) as server:
        server.answer = answer
        yield server


def two_versions(pki: Pki, webhook: WebServer, stored: str = "v2") -> Any:
    """Return a definition whose versions the webhook converts."""
    ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
    client = {"url": f"{webhook.url}/convert", "caBundle": ca}
    conversion = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
    }
    return definition(*versions(stored), conversion=conversion)


async def test_versions_are_converted_by_a_webhook(api: Api, pki: Pki, webhook: WebServer) -> None:
    """What is written in one is read, listed, watched and changed in the other; errors are those of the version sent."""
    await apply(api, two_versions(pki, webhook))
    made = await api.create(TOYS, toy("old", size="3x4"))
    assert (made.apiVersion, made.spec) == (OLD, {"size": "3x4"})
    await api.create(NEW_TOYS, toy("new", api_version=f"{GROUP}/v2", wide=5))
    assert (await api.get(NEW_TOYS, "old", namespace="default")).spec == {"wide": 3, "high": 4}
    before = len(webhook.asked)
    listed = await api.list(TOYS)
    assert [(each.apiVersion, each.spec) for each in listed.items] == [
        (OLD, {"size": "5x9"}),
        (OLD, {"size": "3x4"}),
    ]
    assert len(webhook.asked) == before + 1
    async with closing(api.watch(TOYS, resource_version=made.metadata.resourceVersion)) as stream:
        await api.patch(NEW_TOYS, "old", {"spec": {"high": 8}}, namespace="default")
        events = await told(stream, 2)
    assert [(each.type, each.object.spec) for each in events] == [
        (EventType.ADDED, {"size": "5x9"}),
        (EventType.MODIFIED, {"size": "3x8"}),
    ]
    changed = await api.patch(TOYS, "old", {"spec": {"size": "7x7"}}, namespace="default")
    assert (changed.spec, changed.metadata.generation) == ({"size": "7x7"}, 3)
    error = await refusal(api.create(TOYS, toy("bad", size="wide")))
    assert isinstance(error, Invalid)
    assert [cause.field for cause in error.causes] == ["spec.size"]
    error = await refusal(api.patch(NEW_TOYS, "old", {"spec": {"wide": 0}}, namespace="default"))
    assert isinstance(error, Invalid)
    assert [cause.field for cause in error.causes] == ["spec.wide"]


async def storage_hashes(rest: Rest) -> set[str]:
    """Return what discovery says of the version that is stored, in each version of the kind."""
    answers = [await rest("GET", f"/apis/{GROUP}/{each}") for each in ("v1", "v2")]
    return {listed["resources"][0]["storageVersionHash"] for _, listed in answers}


async def test_what_is_stored_in_an_old_version_is_converted_when_another_is_stored(
    api: Api, rest: Rest, pki: Pki, webhook: WebServer
) -> None:
    """StoredVersions says which there may be; one that there may be cannot go. Discovery has another hash."""
    await apply(api, two_versions(pki, webhook, stored="v1"))
    assert await storage_hashes(rest) == {"0m/e/IMcgbI="}
    await api.create(TOYS, toy("old", size="3x4"))
    await api.patch(CRDS, f"toys.{GROUP}", {"spec": {"versions": versions("v2")}})
    found = await api.get(CRDS, f"toys.{GROUP}")
    assert found.status["storedVersions"] == ["v1", "v2"]
    assert await storage_hashes(rest) == {"LlB9iAX4TmU="}
    assert (await api.get(NEW_TOYS, "old", namespace="default")).spec == {"wide": 3, "high": 4}
    changed = await api.patch(NEW_TOYS, "old", {"spec": {"high": 5}}, namespace="default")
    assert changed.spec == {"wide": 3, "high": 5}
    error = await refusal(api.patch(CRDS, f"toys.{GROUP}", {"spec": {"versions": versions("v2")[1:]}}))
    assert "status.storedVersions[0]: Invalid value" in error.message


async def test_pages_of_what_is_stored_in_an_old_version_are_converted_by_one_call_each(
    api: Api, pki: Pki, webhook: WebServer
) -> None:
    """A page after the first one is read from the store, as it was at the revision of the first one."""
    await apply(api, two_versions(pki, webhook, stored="v1"))
    for number in range(5):
        await api.create(TOYS, toy(f"toy-{number}", size=f"{number + 1}x4"))
    await api.patch(CRDS, f"toys.{GROUP}", {"spec": {"versions": versions("v2")}})
    first = await api.list(NEW_TOYS, limit=1)
    assert [each.spec for each in first.items] == [{"wide": 1, "high": 4}]
    asked = len(webhook.asked)
    rest = await api.list(NEW_TOYS, limit=3, continue_=first.continue_)
    assert [each.spec["wide"] for each in rest.items] == [2, 3, 4]
    assert {each.apiVersion for each in rest.items} == {f"{GROUP}/v2"}
    assert len(webhook.asked) == asked + 1


def wrong(change: Callable[[Json], Any]) -> Callable[[str, Json], Any]:
    def answered(path: str, review: Json) -> Any:
        return change(answer(path, review))

    return answered


def renamed(found: Json) -> Json:
    for each in found["response"]["convertedObjects"]:
        each["metadata"] = {**each["metadata"], "name": "other"}
    return found


FAILED = f"conversion webhook for {GROUP}/v2, Kind=Toy failed: "
RETURNED = f"conversion webhook for {GROUP}/v2, Kind=Toy returned "


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda found: {**found, "response": None}, f"{FAILED}no response provided"),
        (lambda found: {**found, "apiVersion": "v1"}, f"{FAILED}expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got v1, Kind=ConversionReview"),
        (lambda found: {**found, "response": {**found["response"], "uid": "x"}}, f"{FAILED}expected response.uid="),
        (lambda found: {**found, "response": {**found["response"], "result": {"status": "Failure", "message": "no way"}}}, f"{FAILED}no way"),
        (lambda found: {**found, "response": {**found["response"], "convertedObjects": []}}, f"{RETURNED}0 objects, expected 1"),
        (renamed, f"{RETURNED}invalid metadata: metadata.name was changed"),
        (lambda _found: [1], f"{FAILED}expected webhook response of"),
    ],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_an_error_that_says_so(
    api: Api, pki: Pki, webhook: WebServer, change: Callable[[Json], Any], text: str
) -> None:
    """And the version that is stored is served all the same."""
    await apply(api, two_versions(pki, webhook))
    await api.create(NEW_TOYS, toy("t", api_version=f"{GROUP}/v2", wide=5))
    webhook.answer = wrong(change)
    for call in (lambda: api.get(TOYS, "t", namespace="default"), lambda: api.list(TOYS)):
        error = await refusal(call())
        assert (error.code, text in error.message) == (500, True), error.message
    assert (await api.get(NEW_TOYS, "t", namespace="default")).spec == {"wide": 5, "high": 9}


async def test_a_webhook_that_is_not_there_is_an_error_that_says_so(
    api: Api, pki: Pki, webhook: WebServer
) -> None:
    """Which, and where it was looked for."""
    made = two_versions(pki, webhook)
    made.spec["conversion"]["webhook"]["clientConfig"]["url"] = "https://127.0.0.1:1/convert"
    await apply(api, made)
    await api.create(NEW_TOYS, toy("t", api_version=f"{GROUP}/v2", wide=5))
    error = await refusal(api.get(TOYS, "t", namespace="default"))
    assert error.message.startswith(
        f'{FAILED}Post "https://127.0.0.1:1/convert?timeout=30s": dial tcp 127.0.0.1:1: '
    )
    await api.delete(NEW_TOYS, "t", namespace="default")

    async def is_gone() -> bool:
        return not (await api.list(NEW_TOYS)).items

    await until(is_gone)
