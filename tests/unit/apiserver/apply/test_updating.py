"""What creates, updates and patches do to managedFields."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.apply import apply_configuration, track_update
from apiserver.core.apply.field_set import of_path
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.values import Json
from machinery.model.errors import BadRequest, Conflict
from tests.support.applied import CONFIGMAPS, DEPLOYMENTS, PODS, Stored, thing, things, tracker


def _config_map(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": data}


def test_a_create_owns_all_that_it_brings() -> None:
    """Maps are among it; structs that an object always has are not."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u", "labels": {"a": "b"}},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {"spec": {"containers": [{"name": "c", "resources": {}}], "securityContext": {}}},
        },
        "status": {},
    }
    stored = Stored(DEPLOYMENTS).update("kubectl", deployment)
    assert stored.owned("kubectl", "Update") == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:spec": {
                    "f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:resources": {}}},
                    "f:securityContext": {},
                }
            },
        },
    }


def test_who_changes_a_field_takes_it_from_who_owned_it() -> None:
    """An update never conflicts; what is removed is nobody's; an entry without fields goes."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1", b="1"))
    stored.update("two", _config_map(a="2", b="1"))
    assert stored.owned("one", "Update") == {"f:data": {".": {}, "f:b": {}}}
    assert stored.owned("two", "Update") == {"f:data": {"f:a": {}}}
    stored.update("three", _config_map(b="1"))
    assert stored.owned("two", "Update") is None
    assert stored.owned("three", "Update") is None
    assert stored.time("one") == "2026-01-01T00:00:01Z"


def test_an_update_that_changes_nothing_changes_no_entry() -> None:
    """Not even its time."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1"))
    before = stored.entries
    assert stored.update("one", _config_map(a="1")).entries == before


def test_an_updater_that_changes_more_keeps_what_it_had() -> None:
    """Its fields are those of all its updates, its time is that of the last one that changed a value."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1")).update("one", _config_map(a="1", b="1"))
    assert stored.owned("one", "Update") == {"f:data": {".": {}, "f:a": {}, "f:b": {}}}
    assert stored.time("one") == "2026-01-01T00:00:02Z"


def test_absent_managed_fields_mean_keep() -> None:
    """A client that does not know of them does not delete them."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1"))
    stored.update("two", _config_map(a="1", b="1"))
    assert stored.owned("one", "Update") == {"f:data": {".": {}, "f:a": {}}}


@pytest.mark.parametrize("given", [[], [{}]])
def test_an_empty_list_resets_and_nothing_is_tracked_until_an_apply(given: Any) -> None:
    """So a client gets rid of them."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1"))
    assert stored.update("one", _config_map(a="2"), given=given).entries == []
    assert stored.update("one", _config_map(a="3")).entries == []
    stored.apply("me", _config_map(a="3"))
    assert [entry["manager"] for entry in stored.entries] == ["me", "before-first-apply"]


def test_given_managed_fields_take_the_place_of_the_stored_ones() -> None:
    """So kubectl hands the fields of client-side apply to its server-side manager."""
    stored = Stored(CONFIGMAPS).update("kubectl-client-side-apply", _config_map(a="1"))
    [entry] = stored.entries
    given = [
        {**entry, "manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {".": {}}}}}
    ]
    stored.update("kubectl", _config_map(a="1"), given=given)
    assert stored.owned("kubectl") == {"f:data": {"f:a": {}}}
    assert stored.owned("kubectl-client-side-apply", "Update") is None


@pytest.mark.parametrize(
    "given",
    [
        "x",
        5,
        [5],
        [{"manager": "a", "operation": "Delete", "apiVersion": "v1", "fieldsType": "FieldsV1"}],
        [{"manager": "a", "operation": "Update", "fieldsType": "FieldsV1"}],
        [{"manager": "a", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV2"}],
        [
            {
                "manager": "a",
                "operation": "Update",
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"a": {}},
            }
        ],
        [{"manager": "a", "operation": ["x"], "apiVersion": "v1"}],
    ],
)
def test_managed_fields_that_make_no_sense_are_ignored(given: Any) -> None:
    """The stored ones go on."""
    stored = Stored(CONFIGMAPS).update("one", _config_map(a="1"))
    before = stored.entries
    assert stored.update("one", _config_map(a="1"), given=given).entries == before


def test_a_subresource_has_entries_of_its_own_and_owns_nothing_else() -> None:
    """The status's writer owns what it changed of the status, whatever it says of the rest, and resets nothing."""
    status = tracker(
        "io.k8s.api.core.v1.Pod", "v1", subresource="status", reset={"v1": {"f:spec": {}, "f:metadata": {}}}
    )
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n"}}
    stored = Stored(PODS).update("ctl", pod)
    running = {
        **pod,
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    stored.update("kubelet", running, by=status, given=[])
    entry = stored.entries[1]
    assert (entry["manager"], entry["subresource"]) == ("kubelet", "status")
    assert entry["fieldsV1"] == {
        "f:status": {
            "f:conditions": {".": {}, 'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}},
            "f:phase": {},
        }
    }
    assert stored.owned("ctl", "Update") == {"f:spec": {"f:nodeName": {}}}


def test_an_apply_to_a_subresource_owns_nothing_of_what_it_resets() -> None:
    """And says in its conflicts which subresource its opponent wrote."""
    status = tracker("io.k8s.api.core.v1.Pod", "v1", subresource="status", reset={"v1": {"f:spec": {}}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    stored = Stored(PODS).update("ctl", pod)
    stored.apply("kubelet", {**pod, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}, by=status)
    assert stored.entries[0]["fieldsV1"] == {"f:status": {"f:phase": {}}}
    with pytest.raises(Conflict, match=r'conflict with "kubelet" with subresource "status": \.status\.phase'):
        stored.apply("me", {**pod, "status": {"phase": "Failed"}})


def _two_versions() -> tuple[Tracker, Tracker]:
    """Return the trackers of v1, whose spec has `size`, and v2, whose has `count`."""
    shapes = {
        "example.io/v1": things({"size": {"type": "integer"}, "x": {"type": "string"}}).own_topology,
        "example.io/v2": things({"count": {"type": "integer"}, "x": {"type": "string"}}).own_topology,
    }
    names = {"example.io/v1": {"count": "size"}, "example.io/v2": {"size": "count"}}

    def topology(version: str) -> Any:
        if version not in shapes:
            raise UnknownVersion(version)
        return shapes[version]

    def convert(obj: Json, version: str) -> Json:
        if version not in names:
            raise UnknownVersion(version)
        spec = {names[version].get(name, name): item for name, item in (obj.get("spec") or {}).items()}
        return {**obj, "apiVersion": version, "spec": spec}

    return Tracker("example.io/v1", topology, convert), Tracker("example.io/v2", topology, convert)


def test_fields_of_another_version_are_compared_in_that_version() -> None:
    """Who owns a field under an old name conflicts under that name, and loses it to who changes it."""
    one, two = _two_versions()
    stored = Stored(one).apply("one", thing({"size": 1}))
    stored.obj = two.convert(stored.obj, "example.io/v2")  # type: ignore[misc,arg-type]
    config = {**thing({"count": 2}), "apiVersion": "example.io/v2"}
    with pytest.raises(Conflict, match=r"\.spec\.size"):
        stored.apply("two", config, by=two)
    stored.apply("two", config, by=two, force=True)
    assert stored.owned("one") is None


def test_what_was_applied_in_another_version_is_removed_under_its_name_there() -> None:
    """The manager has one entry, of the version that it applied last."""
    one, two = _two_versions()
    stored = Stored(one).apply("me", thing({"size": 1, "x": "y"}))
    stored.obj = two.convert(stored.obj, "example.io/v2")  # type: ignore[misc,arg-type]
    stored.apply("me", {**thing({"x": "y"}), "apiVersion": "example.io/v2"}, by=two)
    assert stored.spec == {"x": "y"}
    assert [entry["apiVersion"] for entry in stored.entries] == ["example.io/v2"]


def test_entries_of_a_version_that_is_not_served_are_forgotten() -> None:
    """Nobody can say what their fields are."""
    one, _ = _two_versions()
    stored = Stored(one).apply("me", thing({"size": 1}))
    assert stored.obj is not None
    stored.obj["metadata"]["managedFields"].append(
        {**stored.entries[0], "manager": "old", "apiVersion": "example.io/v0"}
    )
    stored.update("ctl", thing({"size": 1, "x": "y"}))
    assert [entry["manager"] for entry in stored.entries] == ["me", "ctl"]


def test_who_owned_a_part_of_what_has_become_atomic_owns_the_whole() -> None:
    """Its next apply removes nothing by mistake, and others conflict with it."""
    names = {"type": "object", "additionalProperties": {"type": "string"}}
    granular, atomic = things({"m": names}), things({"m": {**names, "x-kubernetes-map-type": "atomic"}})
    stored = Stored(granular).apply("one", thing({"m": {"a": "1"}}))
    with pytest.raises(Conflict, match=r'"one": \.spec\.m$'):
        stored.apply("two", thing({"m": {"b": "1"}}), by=atomic)
    stored.update("two", thing({"m": {"b": "1"}}), by=atomic)
    assert stored.owned("one") is None
    assert stored.owned("two", "Update") == of_path("f:spec", "f:m")


def test_an_element_that_is_there_twice_is_owned_as_a_whole() -> None:
    """A list that breaks its own rule, since its kind did not check it, can still be tracked and mended."""
    sets = things({"s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}})
    stored = Stored(sets).update("one", thing({"s": ["a", "a", "b"]}))
    assert stored.owned("one", "Update")["f:spec"]["f:s"] == {".": {}, 'v:"a"': {}, 'v:"b"': {}}
    stored.update("two", thing({"s": ["a", "b"]}))
    assert stored.spec["s"] == ["a", "b"]
    stored.apply("me", thing({"s": ["a", "c"]}))
    assert stored.spec["s"] == ["a", "b", "c"]


def test_an_object_that_is_nested_deeper_than_python_goes_is_refused() -> None:
    """It is the client's fault, whether it is applied or written."""
    open_map = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    deep: Json = {}
    for _ in range(100_000):
        deep = {"a": deep}
    nests = things({"o": open_map})
    with pytest.raises(BadRequest, match="nested too deeply"):
        apply_configuration(nests, None, thing({"o": deep}), manager="me", now="")
    with pytest.raises(BadRequest, match="nested too deeply"):
        track_update(nests, None, thing({"o": deep}), manager="me", now="")
    while deep:
        deep = deep.popitem()[1]
