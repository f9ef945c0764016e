"""What clients find out about what there is."""

from __future__ import annotations

import msgspec
import pytest

from apiserver.core import resource_metrics
from apiserver.core.catalogue import Catalogue
from apiserver.core.discovery import Discovery
from apiserver.core.kinds import ALL
from apiserver.core.openapi import document_v2, document_v3, served_paths
from apiserver.core.openapi_schemas import V3, published
from apiserver.core.values import Json
from apiserver.rest.openapi import Documents
from apiserver.schemas import document
from machinery.model.k8s import served


class _Definitions(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


DISCOVERY = Discovery((*ALL, *served.REVIEWS))
DEFINITIONS = msgspec.json.decode(document(), type=_Definitions).defs


def lookup(name: str) -> Json | None:
    return msgspec.json.decode(DEFINITIONS[name]) if name in DEFINITIONS else None


def test_every_kind_is_discovered_both_ways():
    """The old lists and the aggregated ones name the same resources."""
    old = {
        (group, entry["name"])
        for group in ("", *DISCOVERY.groups())
        for version in DISCOVERY.versions(group)
        for entry in DISCOVERY.resource_list(group, version)["resources"]
        if "/" not in entry["name"]
    }
    new = {
        (item["metadata"].get("name", ""), entry["resource"])
        for legacy in (True, False)
        for item in DISCOVERY.aggregated(legacy=legacy)["items"]
        for version in item["versions"]
        for entry in version["resources"]
    }
    assert old == new
    assert {(kind.group, kind.plural) for kind in ALL} <= old


def test_subresources_say_which_kind_they_take():
    """A scale belongs to another group than its deployment."""
    entries = {entry["name"]: entry for entry in DISCOVERY.resource_list("apps", "v1")["resources"]}
    scale = entries["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert "group" not in entries["deployments/status"]


def test_what_is_stored_says_in_which_version():
    """By the hash that kube-apiserver has: all versions of a kind show that of the stored one; what is only answered none."""
    hashes = {
        (group, version, entry["name"]): entry.get("storageVersionHash")
        for group, version in DISCOVERY.group_versions()
        for entry in DISCOVERY.resource_list(group, version)["resources"]
    }
    assert hashes["", "v1", "pods"] == "xPOwRZ+Yhw8="
    assert hashes["", "v1", "pods/status"] is None
    assert hashes["apps", "v1", "deployments"] == "8aSe+NMegvE="
    assert {hashes["autoscaling", each, "horizontalpodautoscalers"] for each in ("v1", "v2")} == {
        "qwQve8ut294="
    }
    assert {hashes["", "v1", "events"], hashes["events.k8s.io", "v1", "events"]} == {"r2yiGXH7wu8="}
    assert hashes["authentication.k8s.io", "v1", "tokenreviews"] is None


def test_an_unknown_group_has_no_versions():
    """So that its path is not found."""
    assert DISCOVERY.versions("example.com") == ()


@pytest.mark.parametrize("path", served_paths(DISCOVERY))
def test_an_openapi_document_is_closed(path: str):
    """Every reference leads somewhere, and no type is optional by the package's own doing."""
    written = document_v3(DISCOVERY, *served_paths(DISCOVERY)[path], "v1.36.0", lookup)
    schemas = written["components"]["schemas"]
    text = msgspec.json.encode(written).decode()
    referred = {part.partition('"')[0] for part in text.split(V3)[1:]}
    assert referred <= set(schemas)
    assert '"null"' not in text


def test_kubectl_finds_what_it_looks_for():
    """Whether fieldValidation is supported, and which kind a resource is of."""
    paths = document_v3(DISCOVERY, "apps", "v1", "v1.36.0", lookup)["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {each["name"] for each in patch["parameters"]}
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
    assert paths["/apis/apps/v1/deployments"]["get"]["x-kubernetes-action"] == "list"
    ids = [
        each["operationId"] for path in paths.values() for key, each in path.items() if key != "parameters"
    ]
    assert len(ids) == len(set(ids))


def test_the_old_document_has_everything():
    """One document for all groups, in the old form."""
    written = document_v2(DISCOVERY, "v1.36.0", lookup)
    assert {"/api/v1/namespaces/{namespace}/pods", "/apis/apps/v1/deployments"} <= set(written["paths"])
    assert "io.k8s.api.core.v1.Pod" in written["definitions"]


def test_the_old_document_is_closed():
    """Every reference leads somewhere, in kinds that bring their schemas as well: kubectl validates nothing otherwise."""
    answered = (*served.REVIEWS, *served.POSTED, *served.COMPUTED, *resource_metrics.KINDS)
    text = Documents(Catalogue(ALL, answered), document).v2().decode()
    written = msgspec.json.decode(text)
    referred = {part.partition('"')[0] for part in text.split("#/definitions/")[1:]}
    assert referred <= set(written["definitions"])
    assert "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics" in referred


def test_a_definition_is_published_without_the_package_s_additions():
    """Only the served versions of a kind are named; a reference beside other words becomes allOf."""
    definition = {
        "type": ["object", "null"],
        "properties": {"kind": {"type": ["string", "null"], "enum": ["A"]}, "spec": {"$ref": "#/$defs/S", "description": "d"}},
        "x-kubernetes-group-version-kind": [{"group": "a", "version": "v1", "kind": "A"}, {"group": "b", "version": "v1", "kind": "A"}],
    }  # fmt: skip
    assert published(definition, V3, {("a", "v1")}) == {
        "type": "object",
        "properties": {
            "kind": {"type": "string"},
            "spec": {"description": "d", "allOf": [{"$ref": f"{V3}S"}]},
        },
        "x-kubernetes-group-version-kind": [{"group": "a", "version": "v1", "kind": "A"}],
    }
