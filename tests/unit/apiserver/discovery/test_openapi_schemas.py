"""The published documents against the schemas of Kubernetes that they are made from, property by property."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import ALL
from apiserver.core.openapi_enums import enums, enums_of_items
from apiserver.rest.openapi import Documents
from machinery.model.k8s import served
from machinery.process.published_schemas import document


@cache
def given() -> dict[str, Any]:
    """The schemas of the package."""
    found: dict[str, Any] = msgspec.json.decode(document())["$defs"]
    return found


@cache
def documents() -> Documents:
    return Documents(Catalogue(ALL, served.REVIEWS), document)


@cache
def shown(path: str) -> dict[str, Any]:
    made = documents().page(path) if path in documents().pages else documents().v3(path)
    found: dict[str, Any] = msgspec.json.decode(made)
    return found


def differences(name: str, own: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Yield where a published schema says something else than the package's, except for what the package made up."""
    own = {key: value for key, value in own.items() if key not in {"allOf", "enum"}} | (
        own["allOf"][0] if "allOf" in own else {}
    )
    theirs = {key: value for key, value in theirs.items() if key != "enum"}
    own, theirs = normal(own), normal(theirs)
    for key in own.keys() | theirs.keys():
        if key == "properties":
            if own.get(key, {}).keys() != theirs.get(key, {}).keys():
                yield f"{name}{path}: other properties"
                continue
            for field, schema in own[key].items():
                yield from differences(name, schema, theirs[key][field], f"{path}.{field}")
        elif key in {"items", "additionalProperties"} and isinstance(own.get(key), dict):
            yield from differences(name, own[key], theirs.get(key, {}), f"{path}[]")
        elif key == "description":
            if own.get(key, "").partition("\n\nPossible enum values:")[0] != theirs.get(key, ""):
                yield f"{name}{path}: another description"
        elif key != "x-kubernetes-group-version-kind" and own.get(key) != theirs.get(key):
            yield f"{name}{path}.{key}: {own.get(key)} instead of {theirs.get(key)}"


def normal(schema: Any) -> Any:
    """Write a schema so that two ways of saying the same are one."""
    changed = dict(schema)
    if "$ref" in changed:
        changed["$ref"] = changed["$ref"].rpartition("/")[2]
    if isinstance(changed.get("type"), list):
        changed["type"] = next(name for name in changed["type"] if name != "null")
    if "oneOf" in changed:
        changed["oneOf"] = [normal(each) for each in changed["oneOf"]]
    return changed


@pytest.mark.parametrize("path", sorted({*documents().paths, *documents().pages}))
def test_every_property_is_published_as_kubernetes_has_it(path: str):
    """With its type, format, extensions and references; none more, none less."""
    schemas = shown(path)["components"]["schemas"]
    assert schemas
    found = [each for name, schema in schemas.items() for each in differences(name, schema, given()[name])]
    assert found == []


def test_a_difference_is_seen():
    """A comparison that cannot fail shows nothing."""
    name = "io.k8s.api.core.v1.ContainerPort"
    schema = shown("api/v1")["components"]["schemas"][name]
    wrong = {**schema, "properties": {**schema["properties"], "name": {"type": "integer"}}, "required": ["a"]}
    assert {each.partition(":")[0] for each in differences(name, wrong, given()[name])} >= {
        f"{name}.name.type",
        f"{name}.required",
    }


def test_enumerations_are_those_of_fields_that_are_there():
    """Every one is of a text, and its values stand once, in order."""
    for name, fields in enums().items():
        for field, values in fields.items():
            assert "string" in given()[name]["properties"][field]["type"], (name, field)
            assert sorted(set(values)) == list(values), (name, field)
    port = shown("api/v1")["components"]["schemas"]["io.k8s.api.core.v1.ContainerPort"]["properties"][
        "protocol"
    ]
    assert port["enum"] == ["SCTP", "TCP", "UDP"]
    assert port["description"].endswith('Possible enum values:\n - `"SCTP"`\n - `"TCP"`\n - `"UDP"`')


def test_enumerations_of_items_stand_at_the_items():
    """Kubernetes does not say them in the description of the list."""
    for name, fields in enums_of_items().items():
        for field, values in fields.items():
            assert "array" in given()[name]["properties"][field]["type"], (name, field)
            assert sorted(set(values)) == list(values), (name, field)
    schemas = shown("api/v1")["components"]["schemas"]
    modes = schemas["io.k8s.api.core.v1.PersistentVolumeClaimSpec"]["properties"]["accessModes"]
    assert modes["items"]["enum"] == ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
    assert "Possible enum values" not in modes["description"]
    signals = schemas["io.k8s.api.core.v1.Lifecycle"]["properties"]["stopSignal"]["enum"]
    assert (len(signals), signals[18:21]) == (65, ["SIGRTMAX", "SIGRTMAX-1", "SIGRTMAX-10"])


def test_every_operation_can_be_called_by_its_name():
    """Ids are unique in all, and every operation of a resource says which, and what it does with it."""
    actions = {
        "get",
        "list",
        "post",
        "put",
        "patch",
        "delete",
        "deletecollection",
        "connect",
        "watch",
        "watchlist",
    }
    ids: list[str] = []
    for path, item in msgspec.json.decode(documents().v2())["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            ids.append(operation["operationId"])
            assert operation["tags"], path
            if "x-kubernetes-action" in operation:
                assert operation["x-kubernetes-action"] in actions
                assert operation["x-kubernetes-group-version-kind"]["kind"]
            else:
                assert not {"name", "namespace"} & {each["name"] for each in item["parameters"]}
    assert len(ids) == len(set(ids))
    assert set(ids) >= {
        "connectCoreV1GetNamespacedPodExec",
        "connectCoreV1PatchNamespacedServiceProxyWithPath",
        "createCoreV1NamespacedPodBinding",
        "deleteCoreV1CollectionNamespacedPod",
        "getAppsAPIGroup",
        "getAPIVersions",
        "getCodeVersion",
        "getCoreAPIVersions",
        "getRbacAuthorizationV1APIResources",
        "listCoreV1PodForAllNamespaces",
        "patchAppsV1NamespacedDeploymentScale",
        "readCoreV1NamespacedPodLog",
        "replaceCoreV1NamespaceFinalize",
        "watchCoreV1NamespacedPod",
        "watchCoreV1NodeList",
        "watchCoreV1PodListForAllNamespaces",
    }


def test_pages_are_documents_too():
    """Discovery, the version and the issuer, as the index of a server has them; each says what it answers."""
    pages = documents().pages
    assert {
        "api",
        "apis",
        "apis/apps",
        "version",
        ".well-known/openid-configuration",
        "openid/v1/jwks",
    } <= set(pages)
    operation = shown("apis/apps")["paths"]["/apis/apps/"]["get"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert (operation["operationId"], answer["$ref"].rpartition(".")[2]) == ("getAppsAPIGroup", "APIGroup")
    assert "BearerToken" in shown("version")["components"]["securitySchemes"]
