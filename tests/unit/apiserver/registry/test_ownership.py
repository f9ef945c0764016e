"""Who owns which field of what is stored: managedFields of every sort of write, and server-side apply."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from apiserver.request import Request, WriteOptions
from machinery.model.errors import BadRequest, Conflict, NotFound, TooLarge
from machinery.model.requests import PatchType
from tests.support.apiserver import ADMIN, RegistryBench, config_map, pod, read, service

Json = dict[str, Any]


def _owned(obj: Json, manager: str, subresource: str = "") -> Any:
    """Return what a manager owns by one sort of write; None where there is no such entry."""
    found = [
        each["fieldsV1"]
        for each in obj["metadata"].get("managedFields", ())
        if (each["manager"], each.get("subresource", "")) == (manager, subresource)
    ]
    return found[0] if found else None


def _entries(obj: Json) -> list[tuple[str, str, str]]:
    return [
        (each["manager"], each["operation"], each.get("subresource", ""))
        for each in obj["metadata"].get("managedFields", ())
    ]


def _deployment(replicas: int | None = None, name: str = "web") -> Json:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    wanted: Json = {"selector": {"matchLabels": labels}, "template": template}
    if replicas is not None:
        wanted["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": wanted}


async def test_who_creates_owns_what_they_said_and_the_defaults(bench: RegistryBench) -> None:
    """What admission and allocators add is nobody's; the name of the manager is the user agent's, where none is said."""
    created = await bench.create("services", service(), user_agent="kubectl/v1.36.0 (linux/amd64)")
    [entry] = created["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("kubectl", "Update", "v1")
    assert entry["time"] == created["metadata"]["creationTimestamp"]
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:internalTrafficPolicy": {},
            "f:ports": {
                ".": {},
                'k:{"port":80,"protocol":"TCP"}': {
                    ".": {},
                    "f:port": {},
                    "f:protocol": {},
                    "f:targetPort": {},
                },
            },
            "f:sessionAffinity": {},
            "f:type": {},
        }
    }
    assert created["spec"]["clusterIP"]
    token = await bench.create("pods", pod("p"), field_manager="me")
    assert "f:volumes" not in _owned(token, "me")["f:spec"]
    assert token["spec"]["volumes"]


async def test_owners_stay_where_an_update_does_not_speak_of_them(bench: RegistryBench) -> None:
    """Absent managedFields mean: keep; given back they mean the same; the empty list forgets them, in an object only."""
    created = await bench.create("configmaps", config_map("a", k="1"), field_manager="one")
    bare = {**created, "metadata": {"name": "a"}, "data": {"k": "1", "l": "2"}}
    updated = await bench.update("configmaps", bare, field_manager="two")
    assert _owned(updated, "one") == {"f:data": {".": {}, "f:k": {}}}
    assert _owned(updated, "two") == {"f:data": {"f:l": {}}}
    again = await bench.update("configmaps", {**updated, "data": {"k": "1", "l": "3"}}, field_manager="one")
    assert _owned(again, "one") == {"f:data": {".": {}, "f:k": {}, "f:l": {}}}
    assert _entries(again) == [("one", "Update", "")]
    reset = {**again, "metadata": {**again["metadata"], "managedFields": []}}
    forgotten = await bench.update("configmaps", reset)
    assert "managedFields" not in forgotten["metadata"]
    changed = await bench.patch("configmaps", "a", {"data": {"k": "9"}}, field_manager="two")
    assert "managedFields" not in changed["metadata"]  # until somebody applies to it


@pytest.mark.parametrize("said", [[], [{}]])
async def test_a_patch_forgets_the_owners(bench: RegistryBench, said: list[Json]) -> None:
    """By the empty list, or by the list of an empty entry, as documented."""
    await bench.create("configmaps", config_map("a", k="1"), field_manager="one")
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": said}]
    assert "managedFields" not in (await bench.patch("configmaps", "a", patch, PatchType.JSON))["metadata"]
    patched = await bench.patch("configmaps", "a", {"metadata": {"managedFields": said}, "data": {"k": "2"}})
    assert "managedFields" not in patched["metadata"]


async def test_what_changes_nothing_stores_nothing(bench: RegistryBench) -> None:
    """Neither a PUT of what is there, nor a patch or an apply of it, is a new version; nor do times of entries change."""
    before = await bench.apply("configmaps", config_map("a", k="1"), "one")
    assert await bench.update("configmaps", before, field_manager="two") == before
    assert await bench.patch("configmaps", "a", {"data": {"k": "1"}}, field_manager="two") == before
    assert await bench.apply("configmaps", config_map("a", k="1"), "one") == before
    dry = await bench.apply("configmaps", config_map("a", k="2"), "one", dry_run=True)
    assert dry["data"] == {"k": "2"}
    assert await bench.get("configmaps", "a") == before


async def test_a_status_has_owners_of_its_own(bench: RegistryBench) -> None:
    """Each subresource's entry is apart, and a write owns nothing that it cannot change."""
    created = await bench.create("pods", pod("p"), field_manager="me")
    status = {**created, "spec": {**created["spec"], "hostNetwork": True}, "status": {"phase": "Running"}}
    written = await bench.update("pods/status", status, field_manager="kubelet")
    assert _owned(written, "kubelet", "status") == {"f:status": {"f:phase": {}}}
    main = await bench.update("pods", {**written, "status": {"phase": "Failed"}}, field_manager="me")
    assert main == written
    patch = {"status": {"podIP": "10.0.0.1"}, "metadata": {"managedFields": []}}
    patched = await bench.patch("pods/status", "p", patch, PatchType.STRATEGIC_MERGE, field_manager="kubelet")
    assert _owned(patched, "kubelet", "status")["f:status"].keys() >= {"f:phase", "f:podIP"}
    assert _entries(patched) == [("kubelet", "Update", "status"), ("me", "Update", "")]
    condition = {"type": "example.com/gate", "status": "True"}
    config = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "status": {"conditions": [condition]},
    }
    applied = await bench.apply("pods/status", config, "gate")
    assert applied["status"]["conditions"] == [condition]
    assert applied["status"]["podIP"] == "10.0.0.1"
    assert _owned(applied, "gate", "status") == {
        "f:status": {
            "f:conditions": {'k:{"type":"example.com/gate"}': {".": {}, "f:status": {}, "f:type": {}}}
        }
    }
    with pytest.raises(NotFound, match='pods "q" not found'):
        await bench.apply("pods/status", {**config, "metadata": {"name": "q"}}, "gate")


async def test_an_apply_creates_and_changes(bench: RegistryBench) -> None:
    """What it says no more goes; it is created with defaults, which nobody owns."""
    created = await bench.apply("deployments", _deployment(3), "one")
    assert created["metadata"]["uid"]
    assert created["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "f:strategy" not in _owned(created, "one")["f:spec"]
    changed = await bench.apply("deployments", _deployment(), "one")
    assert changed["spec"]["replicas"] == 1  # the default again
    assert changed["metadata"]["generation"] == 2
    assert "f:replicas" not in _owned(changed, "one")["f:spec"]


async def test_an_apply_asks_the_owners(bench: RegistryBench) -> None:
    """Another value of another's field is a 409 with the field and its owner, unless it is forced."""
    await bench.apply("deployments", _deployment(3), "one")
    with pytest.raises(Conflict) as refused:
        await bench.apply("deployments", _deployment(5), "two")
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert [(each.field, each.reason) for each in refused.value.causes] == [
        (".spec.replicas", "FieldManagerConflict")
    ]
    forced = await bench.apply("deployments", _deployment(5), "two", force=True)
    assert forced["spec"]["replicas"] == 5
    assert "f:replicas" not in _owned(forced, "one")["f:spec"]
    old = _deployment(5)
    old["metadata"]["resourceVersion"] = "1"
    with pytest.raises(Conflict, match="the object has been modified"):
        await bench.apply("deployments", old, "two")


async def test_an_apply_to_an_untracked_object_finds_its_past(bench: RegistryBench) -> None:
    """All that there was belongs to before-first-apply."""
    created = await bench.create("configmaps", config_map("a", k="1"))
    reset = {**created, "metadata": {**created["metadata"], "managedFields": []}}
    await bench.update("configmaps", reset)
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using v1: \.data\.k'):
        await bench.apply("configmaps", config_map("a", k="2"), "one")
    applied = await bench.apply("configmaps", config_map("a", k="2"), "one", force=True)
    assert _entries(applied) == [("one", "Apply", ""), ("before-first-apply", "Update", "")]


async def test_client_side_apply_is_taken_over(bench: RegistryBench) -> None:
    """The manager of kubectl takes what client-side apply left and nobody has changed since."""
    config = config_map("a", k="1")
    text = '{"apiVersion":"v1","data":{"k":"1"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'
    noted = config_map("a", k="1")
    noted["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": text}
    await bench.create("configmaps", noted, field_manager="kubectl-client-side-apply")
    config["data"] = {"k": "2"}
    with pytest.raises(Conflict):
        await bench.apply("configmaps", config, "another")
    applied = await bench.apply("configmaps", config, "kubectl")
    assert applied["data"] == {"k": "2"}
    last = applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert '"k":"2"' in last


async def test_the_scale_shares_the_owner_of_the_replicas(bench: RegistryBench) -> None:
    """Who scales takes the replicas over, and who applied them hears of it the next time."""
    await bench.apply("deployments", _deployment(3), "one")
    scale = await bench.get("deployments/scale", "web")
    assert "managedFields" not in scale["metadata"]
    await bench.update("deployments/scale", {**scale, "spec": {"replicas": 4}}, field_manager="hpa")
    scaled = await bench.get("deployments", "web")
    assert _owned(scaled, "hpa", "scale") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in _owned(scaled, "one")["f:spec"]
    with pytest.raises(
        Conflict, match=r'conflict with "hpa" with subresource "scale" using apps/v1: \.spec\.replicas'
    ):
        await bench.apply("deployments", _deployment(3), "one")
    config = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}}
    with pytest.raises(Conflict):
        await bench.apply("deployments/scale", {**config, "spec": {"replicas": 5}}, "ops")
    forced = await bench.apply("deployments/scale", {**config, "spec": {"replicas": 5}}, "ops", force=True)
    assert (forced["kind"], forced["spec"]) == ("Scale", {"replicas": 5})
    after = await bench.get("deployments", "web")
    assert _owned(after, "ops", "scale") == {"f:spec": {"f:replicas": {}}}
    assert _owned(after, "hpa", "scale") is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "Incorrect version specified in apply patch"),
        ({"apiVersion": "v2", "kind": "ConfigMap"}, "Specified patch version: v2, expected: v1"),
        ({"apiVersion": "v1"}, "no corresponding type for /v1, Kind="),
        ({"apiVersion": "v1", "kind": "Secret"}, 'Secret in version "v1" cannot be handled as a ConfigMap'),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}},
            "does not match the name on the URL",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"managedFields": []}},
            "metadata.managedFields must be nil",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap", "foo": 1}, ".foo: field not declared in schema"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 1}}, ".data.a: expected string, got"),
        ([], "the configuration has to be an object"),
    ],
)
async def test_a_configuration_that_does_not_fit_is_refused(
    bench: RegistryBench, config: Any, message: str
) -> None:
    """Whether the object is there or not, and however fields are validated."""
    for validation in ("Strict", "Ignore"):
        with pytest.raises(BadRequest) as refused:
            await bench.patch(
                "configmaps",
                "a",
                config,
                PatchType.APPLY,
                field_manager="me",
                field_validation=validation,
            )
        assert message in refused.value.message


async def test_an_apply_that_creates_has_no_identity_to_meet(bench: RegistryBench) -> None:
    """A uid names an object that is not there; a resourceVersion says nothing then."""
    config = config_map("a", k="1")
    config["metadata"] = {"name": "a", "uid": "u"}
    with pytest.raises(Conflict, match="uid mismatch: the provided object specified uid u"):
        await bench.apply("configmaps", config)
    config["metadata"] = {"name": "a", "resourceVersion": "7"}
    assert (await bench.apply("configmaps", config))["data"] == {"k": "1"}


async def test_an_object_that_is_too_large_with_its_owners_has_none(bench: RegistryBench) -> None:
    """It is stored without them; what is applied is refused instead."""
    large = config_map("a", **{f"{number:0250}": "x" * 1040 for number in range(1000)})
    assert "managedFields" not in (await bench.create("configmaps", large))["metadata"]
    with pytest.raises(TooLarge):
        await bench.apply("configmaps", {**large, "metadata": {"name": "b"}})


async def test_other_writes_leave_the_owners(bench: RegistryBench) -> None:
    """A binding, a mark of deletion and an eviction are nobody's fields."""
    created = await bench.create("pods", pod("p"), field_manager="me")
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n"}}
    await bench.create("pods/binding", binding, name="p")
    bound = await bench.get("pods", "p")
    assert bound["metadata"]["managedFields"] == created["metadata"]["managedFields"]
    marked = await bench.delete("pods", "p")
    assert marked["metadata"]["managedFields"] == created["metadata"]["managedFields"]


async def test_custom_resources_merge_by_their_schemas(bench: RegistryBench) -> None:
    """In each version that is served: sets, lists with keys and their defaults, atomic maps, and what is left open."""
    await bench.registry.create(_custom("create", "customresourcedefinitions", _DEFINITION))
    while bench.catalogue.kind("example.io", "v2", "toys") is None:
        await asyncio.sleep(0)
    ports = [{"port": 80}, {"port": 80, "protocol": "UDP"}]
    await _applied(bench, "one", "v1", set=["x", "y"], ports=ports, sel={"a": "b"}, any={"q": {"r": 1}})
    await _applied(bench, "two", "v2", set=["z"], ports=[{"port": 81}])
    made = await _applied(bench, "one", "v1", set=["x"], ports=ports[:1], any={"q": {"s": 1}})
    tcp = {"port": 80, "protocol": "TCP"}
    assert made["spec"] == {"set": ["x", "z"], "ports": [tcp, {**tcp, "port": 81}], "any": {"q": {"s": 1}}}
    key = 'k:{"port":81,"protocol":"TCP"}'
    owned = {"f:spec": {"f:ports": {key: {".": {}, "f:port": {}}}, "f:set": {'v:"z"': {}}}}
    assert (_owned(made, "two"), made["metadata"]["managedFields"][1]["apiVersion"]) == (
        owned,
        "example.io/v2",
    )
    with pytest.raises(Conflict, match=r"conflict with \"one\": \.spec\.any\.q\.s"):
        await _applied(bench, "three", "v2", any={"q": {"s": 2}})
    with pytest.raises(BadRequest, match=r"\.spec\.foo: field not declared in schema"):
        await _applied(bench, "three", "v1", foo=1)
    status = {**_toy("v1"), "metadata": {"name": "t", "labels": {"a": "b"}}, "status": {"phase": "on"}}
    request = _custom("patch", "toys", status, patch_type=PatchType.MERGE, subresource="status")
    written = read(await bench.registry.patch(request))
    assert (_owned(written, "me", "status"), written["metadata"].get("labels")) == (
        {"f:status": {".": {}, "f:phase": {}}},
        None,
    )


def _toy(version: str, **spec: Any) -> Json:
    return {"apiVersion": f"example.io/{version}", "kind": "Toy", "metadata": {"name": "t"}, "spec": spec}


async def _applied(bench: RegistryBench, manager: str, version: str, **spec: Any) -> Json:
    config = _toy(version, **spec)
    request = _custom("patch", "toys", config, version, patch_type=PatchType.APPLY, manager=manager)
    return read(await bench.registry.patch(request))


def _custom(
    verb: str, resource: str, body: Any, version: str = "v1", manager: str = "me", **more: Any
) -> Request:
    is_definition = resource == "customresourcedefinitions"
    return Request(
        user=ADMIN,
        verb=verb,
        group="apiextensions.k8s.io" if is_definition else "example.io",
        version=version,
        resource=resource,
        namespace="" if is_definition else "default",
        name="" if is_definition else "t",
        body=msgspec.json.encode(body),
        writing=WriteOptions(field_manager=manager),
        **more,
    )


_TEXT = {"type": "string"}
_PORT = {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}
_SPEC = {
    "set": {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
    "ports": {
        "type": "array",
        "items": {"type": "object", "properties": _PORT, "required": ["port"]},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
    },
    "sel": {"type": "object", "additionalProperties": _TEXT, "x-kubernetes-map-type": "atomic"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": _SPEC},
        "status": {"type": "object", "properties": {"phase": _TEXT}},
    },
}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "toys.example.io"},
    "spec": {
        "group": "example.io",
        "scope": "Namespaced",
        "names": {"plural": "toys", "kind": "Toy"},
        "versions": [
            {
                "name": version,
                "served": True,
                "storage": version == "v1",
                "schema": {"openAPIV3Schema": _SCHEMA},
                "subresources": {"status": {}},
            }
            for version in ("v1", "v2")
        ],
    },
}
