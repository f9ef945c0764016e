"""The entries of managedFields: their names, their order, how many there are, and what they have to look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apiserver.core.apply.managers import (
    Entry,
    Managed,
    applier,
    capped,
    manager_name,
    stored,
    updater,
    write,
)
from apiserver.core.apply.scale import SCALE_VERSION, to_parent, to_scale
from apiserver.core.apply.validation import managed_fields_causes, manager_causes
from apiserver.core.values import Json
from machinery.model.errors import Conflict
from tests.support.applied import CONFIGMAPS, Stored

_REPLICAS: dict[str, Any] = {"apps/v1": ("f:spec", "f:replicas"), "example.io/v1": None}
_SPEC_REPLICAS: Json = {"f:spec": {"f:replicas": {}}}
_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.mark.parametrize(
    ("field_manager", "user_agent", "name"),
    [
        ("me", "curl/8", "me"),
        ("", "kubectl/v1.36.0 (linux/amd64) kubernetes/abc", "kubectl"),
        ("", "Open\x00API\n/1", "OpenAPI"),
        ("", "x" * 200, "x" * 128),
        ("", "é" * 200, "é" * 64),
        ("", "", ""),
    ],
)
def test_a_manager_is_named_by_its_request(field_manager: str, user_agent: str, name: str) -> None:
    """What fieldManager says counts before the user agent, which is cut at its first slash."""
    assert manager_name(field_manager, user_agent) == name


def test_a_manager_without_a_name_is_unknown() -> None:
    """Somebody has to own the fields."""
    assert applier("").name == "unknown"
    assert updater("", "v1").name == "unknown"


def test_appliers_come_first_then_the_older_ones() -> None:
    """The order is by operation, time, name, version, subresource."""
    managed: Managed = {
        updater("b", "v1"): Entry({"f:a": {}}, "v1", "2026-01-02T00:00:00Z"),
        updater("a", "v1", "status"): Entry({"f:a": {}}, "v1", "2026-01-02T00:00:00Z"),
        updater("a", "v1"): Entry({"f:a": {}}, "v1", "2026-01-02T00:00:00Z"),
        updater("z", "v1"): Entry({"f:a": {}}, "v1", "2026-01-01T00:00:00Z"),
        applier("z"): Entry({"f:a": {}}, "v1", "2026-01-03T00:00:00Z"),
    }
    entries = write(managed)
    assert [(entry["manager"], entry.get("subresource", "")) for entry in entries] == [
        ("z", ""),
        ("z", ""),
        ("a", ""),
        ("a", "status"),
        ("b", ""),
    ]
    assert write(stored(entries)) == entries


def test_the_oldest_updaters_of_a_version_become_one() -> None:
    """There are ten at most; appliers do not count."""
    managed: Managed = {applier("me"): Entry({"f:x": {}}, "v1", "2025-01-01T00:00:00Z")}
    for number in range(13):
        version = "v2" if number == 1 else "v1"
        managed[updater(f"u{number:02}", version)] = Entry(
            {f"f:{number:02}": {}}, version, f"2026-01-01T00:00:{number:02}Z"
        )
    entries = write(capped(managed))
    assert [entry["manager"] for entry in entries] == [
        "me",
        "u01",
        "ancient-changes",
        *(f"u{number:02}" for number in range(5, 13)),
    ]
    assert entries[2]["fieldsV1"] == {"f:00": {}, "f:02": {}, "f:03": {}, "f:04": {}}
    assert entries[2]["time"] == "2026-01-01T00:00:04Z"


def test_ancient_changes_grow() -> None:
    """Each further updater pushes one more into them."""
    cluster = Stored(CONFIGMAPS)
    data: dict[str, str] = {}
    for number in range(30):
        data = {**data, f"k{number:02}": "1"}
        cluster.update(
            f"u{number:02}",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": data},
        )
    assert len(cluster.entries) == 10
    ancient = cluster.owned("ancient-changes", "Update")["f:data"]
    assert list(ancient) == [".", *(f"f:k{number:02}" for number in range(21))]


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("me", []),
        ("é" * 64, []),
        ("é" * 65, ["Too long: may not be more than 128 bytes"]),
        (
            "a\nb",
            ['Invalid value: "a\\nb": invalid character U+000A (at position 1)'],
        ),
    ],
)
def test_a_managers_name_has_a_form(name: str, messages: list[str]) -> None:
    """It can be printed, and is not too long."""
    assert [cause.message for cause in manager_causes(name, "fieldManager")] == messages


def test_an_apply_needs_a_manager() -> None:
    """Nobody can own what is applied otherwise."""
    [cause] = manager_causes("", "fieldManager", required=True)
    assert (cause.field, cause.message) == ("fieldManager", "Required value: is required for apply patch")


def test_entries_that_admission_made_are_checked() -> None:
    """Each fault is named with its place."""
    entries = [
        {"manager": "a", "operation": "Update", "fieldsType": "FieldsV1"},
        {"manager": "a\t", "operation": "x", "fieldsType": "FieldsV2", "subresource": "s" * 257},
    ]
    assert [(cause.field, cause.message) for cause in managed_fields_causes(entries)] == [
        ("metadata.managedFields[1].operation", 'Invalid value: "x": must be `Apply` or `Update`'),
        ("metadata.managedFields[1].fieldsType", 'Invalid value: "FieldsV2": must be `FieldsV1`'),
        (
            "metadata.managedFields[1].manager",
            'Invalid value: "a\\t": invalid character U+0009 (at position 1)',
        ),
        ("metadata.managedFields[1].subresource", "Too long: may not be more than 256 bytes"),
    ]


def test_the_owners_of_a_scale_are_those_of_the_replicas() -> None:
    """Whoever scales takes the replicas of the object, and keeps nothing else there."""
    managed: Managed = {
        applier("me"): Entry({"f:spec": {"f:paused": {}, "f:replicas": {}}}, "apps/v1", "1"),
        updater("ctl", "apps/v1"): Entry({"f:status": {}}, "apps/v1", "2"),
        updater("old", "apps/v0"): Entry(_SPEC_REPLICAS, "apps/v0", "2"),
        updater("thing", "example.io/v1"): Entry(_SPEC_REPLICAS, "example.io/v1", "2"),
    }
    assert to_scale(managed, _REPLICAS) == {applier("me"): Entry(_SPEC_REPLICAS, SCALE_VERSION, "1")}
    hpa = updater("hpa", SCALE_VERSION, "scale")
    after = to_parent(managed, {hpa: Entry(_SPEC_REPLICAS, SCALE_VERSION, "3")}, "apps/v1", _REPLICAS)
    assert after == {
        applier("me"): Entry({"f:spec": {"f:paused": {}}}, "apps/v1", "1"),
        updater("ctl", "apps/v1"): managed[updater("ctl", "apps/v1")],
        updater("thing", "example.io/v1"): managed[updater("thing", "example.io/v1")],
        hpa: Entry(_SPEC_REPLICAS, "apps/v1", "3"),
    }


def test_a_scale_that_nobody_changed_leaves_the_owners() -> None:
    """Entries that kept the replicas are those that they were."""
    managed: Managed = {applier("me"): Entry(_SPEC_REPLICAS, "apps/v1", "1")}
    assert to_parent(managed, to_scale(managed, _REPLICAS), "apps/v1", _REPLICAS) == managed


def _applied_client_side(said: dict[str, str], now: dict[str, str]) -> Stored:
    cluster = Stored(CONFIGMAPS)
    config = _config(said)
    cluster.update(
        "kubectl-client-side-apply",
        {**config, "metadata": {"name": "n", "annotations": {_ANNOTATION: json.dumps(config)}}},
    )
    assert cluster.obj is not None
    return cluster.update("edit", {**cluster.obj, "data": now}) if now != said else cluster


def _config(data: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": data}


def test_kubectl_takes_over_what_it_applied_client_side() -> None:
    """There is no conflict over what nobody has changed since, and the annotation follows."""
    cluster = _applied_client_side({"a": "1"}, {"a": "1"}).apply("kubectl", _config({"a": "2"}))
    assert cluster.obj is not None
    assert cluster.obj["data"] == {"a": "2"}
    assert json.loads(cluster.obj["metadata"]["annotations"][_ANNOTATION]) == _config({"a": "2"})


def test_kubectl_still_conflicts_with_what_others_changed_since() -> None:
    """Those fields only are named."""
    cluster = _applied_client_side({"a": "1", "b": "1"}, {"a": "1", "b": "2"})
    with pytest.raises(Conflict) as refused:
        cluster.apply("kubectl", _config({"a": "3", "b": "3"}))
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "edit" using v1: .data.b'


@pytest.mark.parametrize("annotation", ["", "{", "[]", '{"apiVersion":"v2"}'])
def test_an_annotation_that_says_nothing_allows_nothing(annotation: str) -> None:
    """Conflicts are as everybody's."""
    cluster = Stored(CONFIGMAPS)
    cluster.update(
        "ctl", {**_config({"a": "1"}), "metadata": {"name": "n", "annotations": {_ANNOTATION: annotation}}}
    )
    with pytest.raises(Conflict, match=r"\.data\.a"):
        cluster.apply("kubectl", _config({"a": "2"}))


def test_others_do_not_take_over_what_was_applied_client_side() -> None:
    """Only kubectl's own manager does."""
    with pytest.raises(Conflict):
        _applied_client_side({"a": "1"}, {"a": "1"}).apply("helm", _config({"a": "2"}))


def test_an_annotation_without_room_goes() -> None:
    """Annotations have 256 KiB together."""
    cluster = _applied_client_side({"a": "1"}, {"a": "1"}).apply("kubectl", _config({"a": "x" * 300_000}))
    assert cluster.obj is not None
    assert _ANNOTATION not in (cluster.obj["metadata"].get("annotations") or {})
