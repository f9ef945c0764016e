"""Custom resources from the definition to its end, on both stores and through both doors."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import count
from typing import Any

import msgspec
import pytest

from apiserver.storage.interface import Storage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.errors import BadRequest, Conflict, Invalid, NotFound
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import EventType, PatchType, Selection
from tests.support.apiserver import Served, serving
from tests.support.custom_resources import (
    CRDS,
    EVERYTHING,
    GROUP,
    SCHEMA,
    STRING,
    TOYS,
    Rest,
    apply,
    condition,
    definition,
    established,
    gone,
    refusal,
    resource,
    told,
    toy,
    version,
)
from tests.support.loop_steps import measured_steps
from tests.support.rest_door import KUBECTL_TABLE
from tests.support.streams import closing
from tests.support.waiting import until

PATH = f"/apis/{GROUP}/v1/namespaces/default/toys"
NAME = f"toys.{GROUP}"


async def test_a_definition_is_served_at_once(api: Api) -> None:
    """When it is established its objects can be made, read, changed in every way that Kubernetes has, and deleted."""
    made = await apply(api, definition())
    assert made.status["acceptedNames"] == {
        "plural": "toys",
        "singular": "toy",
        "kind": "Toy",
        "listKind": "ToyList",
    }
    assert made.status["storedVersions"] == ["v1"]
    first = await api.create(TOYS, toy(color="red"))
    assert (first.spec, first.status, first.metadata.generation) == ({"color": "red", "size": 3}, {}, 1)
    assert await api.get(TOYS, "t", namespace="default") == first
    second = await api.patch(TOYS, "t", {"spec": {"size": 5}}, namespace="default")
    assert (second.spec["size"], second.metadata.generation) == (5, 2)
    third = await api.patch(
        TOYS, "t", [{"op": "remove", "path": "/spec/color"}], namespace="default", kind=PatchType.JSON
    )
    assert third.spec == {"size": 5}
    status = await api.patch(
        TOYS, "t", {"spec": {"size": 9}, "status": {"size": 4}}, namespace="default", subresource="status"
    )
    assert (status.spec, status.status, status.metadata.generation) == ({"size": 5}, {"size": 4}, 3)
    updated = await api.update(TOYS, msgspec.structs.replace(status, spec={"size": 6}))
    assert (updated.spec, updated.status) == ({"size": 6}, {"size": 4})
    with pytest.raises(Conflict):
        await api.update(TOYS, status)
    with pytest.raises(Invalid, match=r"metadata\.resourceVersion"):
        await api.update(TOYS, toy(size=7))
    await api.create(TOYS, toy("u"))
    assert [each.metadata.name for each in (await api.list(TOYS)).items] == ["t", "u"]
    await api.delete(TOYS, "u", namespace="default")
    await api.delete_collection(TOYS, Selection("default"))
    assert (await api.list(TOYS)).items == []


async def test_what_does_not_fit_is_refused(api: Api) -> None:
    """In the words of Kubernetes, and nothing is stored."""
    await apply(api, definition())
    error = await refusal(api.create(TOYS, toy("bad", size=0, tags=["a", 1])))
    assert isinstance(error, Invalid)
    assert [cause.field for cause in error.causes] == ["spec.size", "spec.tags[1]"]
    assert error.message.startswith(f'Toy.{GROUP} "bad" is invalid: [spec.size: Invalid value: 0')
    strategic = api.patch(TOYS, "t", {}, namespace="default", kind=PatchType.STRATEGIC_MERGE)
    error = await refusal(strategic)
    accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    text = "the body of the request was in an unknown format - accepted media types include:"
    assert (error.code, error.message) == (415, f"{text} {accepted}")
    with pytest.raises(BadRequest, match=r"cannot unmarshal number into Go struct field ObjectMeta\.labels"):
        await api.create(TOYS, _Odd())  # type: ignore[type-var]  # labels are no number
    assert (await api.list(TOYS)).items == []


class _OddMeta(msgspec.Struct, frozen=True):
    name: str = "odd"
    namespace: str = "default"
    labels: int = 5


class _Odd(msgspec.Struct, frozen=True):
    kind: str = "Toy"
    apiVersion: str = f"{GROUP}/v1"
    metadata: _OddMeta = _OddMeta()


async def test_a_watch_tells_what_happens_and_selects_by_fields(api: Api) -> None:
    """Also by those that the definition makes selectable; others are refused."""
    await apply(api, definition())
    start = str((await api.list(TOYS)).revision)
    red = Selection(field_selector="spec.color=red")
    async with closing(api.watch(TOYS, red, resource_version=start)) as stream:
        await api.create(TOYS, toy("a", color="blue"))
        await api.create(TOYS, toy("b", color="red"))
        await api.patch(TOYS, "b", {"spec": {"color": "blue"}}, namespace="default")
        events = await told(stream, 2)
    assert [(each.type, each.object.metadata.name) for each in events] == [
        (EventType.ADDED, "b"),
        (EventType.DELETED, "b"),
    ]
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.size"):
        await api.list(TOYS, Selection(field_selector="spec.size=3"))


async def test_a_changed_schema_holds_for_old_objects_and_watches_go_on(api: Api) -> None:
    """Defaults show at once, what has gone from the schema does not; a watch is taken up where it was."""
    await apply(api, definition(version(**EVERYTHING)))
    created = await api.create(TOYS, toy(color="red"))
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "form": {**STRING, "default": "round"}},
    }
    changed = version(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}})

    async def follow(start: str) -> tuple[str, list[Any]]:
        """Watch until the watch ends; return the revision that was reached."""
        seen: list[Any] = []
        async with closing(api.watch(TOYS, resource_version=start)) as stream:
            async for batch in stream:
                for event in batch:
                    seen.append(event)
                    start = str(event.revision)
                if seen and not seen[1:]:
                    await api.patch(CRDS, NAME, {"spec": {"versions": [changed]}})
        return start, seen

    await api.patch(TOYS, "t", {"spec": {"size": 5}}, namespace="default")
    reached, seen = await follow(created.metadata.resourceVersion)
    assert [each.object.spec for each in seen] == [{"size": 5, "color": "red"}]
    assert (await api.get(TOYS, "t", namespace="default")).spec == {"size": 5, "form": "round"}
    async with closing(api.watch(TOYS, resource_version=reached)) as stream:
        await api.patch(TOYS, "t", {"spec": {"size": 6}}, namespace="default")
        assert [each.object.spec for each in await told(stream, 1)] == [{"size": 6, "form": "round"}]
    async with closing(api.watch(TOYS, resource_version=created.metadata.resourceVersion)) as stream:
        assert [each.object.spec["size"] for each in await told(stream, 2)] == [5, 6]


async def test_a_definition_takes_its_objects_with_it(api: Api, storage: Storage) -> None:
    """Those that have finalizers keep it; new ones are refused meanwhile; in the end nothing is left."""
    await apply(api, definition())
    for name in ("a", "b"):
        await api.create(TOYS, toy(name))
    kept = toy("kept")
    meta = ObjectMeta(name="kept", namespace="default", finalizers=["keep"])
    await api.create(TOYS, msgspec.structs.replace(kept, metadata=meta))
    await api.delete(CRDS, NAME)

    async def is_left_alone() -> bool:
        return [each.metadata.name for each in (await api.list(TOYS)).items] == ["kept"]

    await until(is_left_alone)
    found = await api.get(CRDS, NAME)
    assert (condition(found, "Terminating"), found.metadata.finalizers) == (
        "True",
        ["customresourcecleanup.apiextensions.k8s.io"],
    )
    error = await refusal(api.create(TOYS, toy("new")))
    assert (error.code, error.message) == (
        405,
        "create not allowed while custom resource definition is terminating",
    )
    await api.patch(TOYS, "kept", {"metadata": {"finalizers": None}}, namespace="default")
    await gone(api)
    with pytest.raises(NotFound):
        await api.list(TOYS)
    assert (await storage.list(f"/registry/{GROUP}/")).items == []
    await apply(api, definition())
    assert (await api.list(TOYS)).items == []


async def test_names_are_had_by_one_definition_at_a_time(api: Api) -> None:
    """Who asks for one that is taken waits, and says so, until it is free."""
    await apply(api, definition())
    await api.create(CRDS, definition(plural="games", kind="Toy"))

    async def refused() -> bool:
        return condition(await api.get(CRDS, f"games.{GROUP}"), "NamesAccepted") == "False"

    await until(refused)
    games = await api.get(CRDS, f"games.{GROUP}")
    assert condition(games, "Established") == "False"
    reasons = {each["type"]: (each["reason"], each["message"]) for each in games.status["conditions"]}
    assert reasons["NamesAccepted"] == ("ListKindConflict", '"ToyList" is already in use')
    with pytest.raises(NotFound):
        await api.list(resource(plural="games"))
    await api.delete(CRDS, NAME)
    await gone(api)
    await established(api, f"games.{GROUP}")
    await api.create(resource(plural="games"), toy())


async def test_everything_is_there_when_an_apiserver_comes_back(
    served: Served, api: Api, storage: Storage, pki: Pki
) -> None:
    """Before it says that it is ready, and so that a watch goes on where it was."""
    await apply(api, definition())
    created = await api.create(TOYS, toy())
    await api.patch(TOYS, "t", {"spec": {"size": 5}}, namespace="default")
    async with serving(pki, storage, name="apiserver-2") as again:
        connection = again.connect("grpc")
        assert [each.spec for each in (await connection.list(TOYS)).items] == [{"size": 5}]
        start = created.metadata.resourceVersion
        async with closing(connection.watch(TOYS, resource_version=start)) as stream:
            assert [each.type for each in await told(stream, 1)] == [EventType.MODIFIED]
        await connection.aclose()


async def test_a_definition_is_printed_discovered_and_explained(api: Api, rest: Rest) -> None:
    """Columns, short names, scale, both forms of discovery and both of OpenAPI; all of it goes again."""
    names = {"plural": "toys", "kind": "Toy", "shortNames": ["ty"], "categories": ["all"]}
    await apply(api, definition(names=names))
    await api.create(TOYS, toy(size=7))
    _, table = await rest("GET", PATH, headers={"Accept": KUBECTL_TABLE})
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["t", 7]
    _, scale = await rest("GET", f"{PATH}/t/scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 7})
    scale["spec"]["replicas"] = 2
    status, scale = await rest("PUT", f"{PATH}/t/scale", json=scale)
    assert (status, scale["spec"]) == (200, {"replicas": 2})
    _, listed = await rest("GET", f"/apis/{GROUP}/v1")
    assert [each["name"] for each in listed["resources"]] == ["toys", "toys/scale", "toys/status"]
    assert (listed["resources"][0]["shortNames"], listed["resources"][0]["categories"]) == (["ty"], ["all"])
    aggregated = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    _, found = await rest("GET", "/apis", headers=aggregated)
    assert [
        each["versions"][0]["version"] for each in found["items"] if each["metadata"]["name"] == GROUP
    ] == ["v1"]
    _, document = await rest("GET", f"/openapi/v3/apis/{GROUP}/v1")
    described = document["components"]["schemas"]["com.example.toys.v1.Toy"]
    assert described["properties"]["spec"]["properties"]["size"]["description"] == "How large it is."
    _, document = await rest("GET", "/openapi/v2")
    assert "com.example.toys.v1.Toy" in document["definitions"]
    await api.delete(CRDS, NAME)
    await gone(api)
    for path in (f"/apis/{GROUP}", f"/apis/{GROUP}/v1", PATH, f"/openapi/v3/apis/{GROUP}/v1"):
        assert (await rest("GET", path))[0] == 404


async def test_what_is_unknown_is_dropped_with_a_warning_or_refused(api: Api, rest: Rest) -> None:
    """In metadata, too; as fieldValidation says."""
    await apply(api, definition())
    odd = {"kind": "Toy", "apiVersion": f"{GROUP}/v1", "metadata": {"name": "odd", "x": 1}, "spec": {"y": 1}}
    async with rest.session.post(PATH, json=odd) as response:
        assert response.status == 201
        assert response.headers.getall("Warning") == [
            '299 - "unknown field \\"metadata.x\\""',
            '299 - "unknown field \\"spec.y\\""',
        ]
    _, error = await rest("POST", PATH, json={"apiVersion": f"{GROUP}/v1", "metadata": {"name": "odd"}})
    assert (error["code"], error["message"].startswith("Object 'Kind' is missing in '")) == (400, True)
    status, error = await rest("POST", f"{PATH}?fieldValidation=Strict", json=odd)
    text = 'Toy in version "v1" cannot be handled as a Toy: strict decoding error:'
    assert (status, error["message"]) == (
        400,
        f'{text} unknown field "metadata.x", unknown field "spec.y"',
    )


async def test_a_definition_that_makes_no_sense_is_refused(api: Api) -> None:
    """Every fault is named; what is not built says so."""
    bad = version(schema={"openAPIV3Schema": {**SCHEMA, "type": "array"}})
    error = await refusal(api.create(CRDS, definition(bad, scope="World")))
    assert isinstance(error, Invalid)
    assert {cause.field for cause in error.causes} >= {
        "spec.scope",
        "spec.validation.openAPIV3Schema.type",
    }
    assert (await api.list(CRDS)).items == []


RULED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "min": {"type": "integer"},
                "max": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "it only grows"}]},
                "words": {"type": "array", "maxItems": 80, "items": {"type": "string", "maxLength": 8}},
            },
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.min) || self.min <= self.max",
                    "messageExpression": "'%d is over %d'.format([self.min, self.max])",
                    "fieldPath": ".min",
                    "reason": "FieldValueForbidden",
                },
                {"rule": "!has(self.words) || self.words.all(a, self.words.all(b, self.words.all(c, a + b != c)))"},
            ],
        }
    },
}  # fmt: skip


async def test_rules_hold(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an object, and of its change; what costs too much is ended, and others are served meanwhile."""
    await apply(api, definition(version(schema={"openAPIV3Schema": RULED})))
    error = await refusal(api.create(TOYS, toy("bad", min=3, max=2)))
    assert isinstance(error, Invalid)
    assert [(cause.field, cause.message) for cause in error.causes] == [
        ("spec.min", "Forbidden: 3 is over 2")
    ]
    await api.create(TOYS, toy(min=1, max=5))
    error = await refusal(api.patch(TOYS, "t", {"spec": {"max": 4}}, namespace="default"))
    assert 'spec.max: Invalid value: "integer": it only grows' in error.message
    with measured_steps(monkeypatch) as steps:
        error = await refusal(api.create(TOYS, toy("dear", max=1, words=["a"] * 80)))
    steps.check("an expression that explodes")
    assert (
        "no further validation rules will be run due to call cost exceeds limit for rule: " in error.message
    )


async def test_what_breaks_a_newer_rule_may_stay_with_a_warning(api: Api, rest: Rest) -> None:
    """A value that has not changed is not refused for a rule that came after it; one that has changed is."""
    number, numbers = {"type": "integer"}, count()
    held = {**number, "x-kubernetes-validations": [{"rule": "self > 5"}]}
    schemas = [
        {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": each, "m": number}}}}
        for each in (number, held)
    ]
    await apply(api, definition(version(schema={"openAPIV3Schema": schemas[0]})))
    await api.create(TOYS, toy(n=1))
    newer = {"spec": {"versions": [version(schema={"openAPIV3Schema": schemas[1]})]}}
    await api.patch(CRDS, NAME, newer)
    await until(lambda: _is_refused(api.create(TOYS, toy(f"probe-{next(numbers)}", n=1))))
    content = {"Content-Type": PatchType.MERGE.value}
    async with rest.session.patch(f"{PATH}/t", json={"spec": {"m": 1}}, headers=content) as answer:
        assert answer.status == 200
        said = answer.headers["Warning"]
    assert said == '299 - "spec.n: Invalid value: \\"integer\\": failed rule: self > 5"'
    assert isinstance(await refusal(api.patch(TOYS, "t", {"spec": {"n": 2}}, namespace="default")), Invalid)


async def _is_refused(attempt: Awaitable[Any]) -> bool:
    try:
        await attempt
    except Invalid:
        return True
    return False


async def test_rules_that_cannot_hold_or_cost_too_much_are_refused(api: Api) -> None:
    """When the definition is made."""
    rules = [{"rule": "self.none == 1"}, {"rule": "self.words.all(a, self.words.all(b, a + b != ''))"}]
    words = {"type": "array", "items": STRING}
    spec = {"type": "object", "properties": {"words": words}, "x-kubernetes-validations": rules}
    schema = {"type": "object", "properties": {"spec": spec}}
    error = await refusal(api.create(CRDS, definition(version(schema={"openAPIV3Schema": schema}))))
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'none'" in error.message
    assert "estimated rule cost exceeds budget by factor of more than 100x" in error.message


APPLIED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "tags": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "properties": {
                            "port": {"type": "integer"},
                            "protocol": {"type": "string", "default": "TCP"},
                            "name": STRING,
                        },
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"size": {"type": "integer"}}},
    },
}


async def test_configurations_are_applied(rest: Rest, api: Api) -> None:
    """By how the schema says that lists and maps merge; a conflict names the field and its owner, also of a scale."""
    await apply(
        api, definition(version(schema={"openAPIV3Schema": APPLIED}, subresources=EVERYTHING["subresources"]))
    )

    async def ask(manager: str, spec: dict[str, Any], query: str = "", place: str = "") -> tuple[int, Any]:
        body = {"apiVersion": f"{GROUP}/v1", "kind": "Toy", "metadata": {"name": "t"}, "spec": spec}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        path = f"{PATH}/t{place}?fieldManager={manager}{query}"
        return await rest("PATCH", path, data=msgspec.json.encode(body), headers=headers)

    status, made = await ask("one", {"size": 1, "tags": ["a"], "ports": [{"port": 80, "name": "web"}]})
    assert (status, made["spec"]["ports"]) == (201, [{"port": 80, "name": "web", "protocol": "TCP"}])
    status, made = await ask("two", {"tags": ["b"], "ports": [{"port": 81}]})
    assert (status, made["spec"]["tags"], [each["port"] for each in made["spec"]["ports"]]) == (
        200,
        ["a", "b"],
        [80, 81],
    )
    status, error = await ask("two", {"size": 2})
    assert (status, error["details"]["causes"][0]["field"]) == (409, ".spec.size")
    assert 'conflict with "one"' in error["message"]
    status, made = await ask("two", {"size": 2}, "&force=true")
    assert (status, made["spec"]["size"], made["spec"]["tags"]) == (200, 2, ["a"])
    _, scale = await rest("GET", f"{PATH}/t/scale")
    scale["spec"]["replicas"] = 7
    assert (await rest("PUT", f"{PATH}/t/scale?fieldManager=scaler", json=scale))[0] == 200
    status, error = await ask("two", {"size": 2})
    assert (status, error["details"]["causes"][0]["field"]) == (409, ".spec.size")
    assert 'conflict with "scaler" with subresource "scale"' in error["message"]
