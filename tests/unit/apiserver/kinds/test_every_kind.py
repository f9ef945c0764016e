"""All kinds that are served: what holds for each of them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver import schemas
from apiserver.core.discovery import Discovery
from apiserver.core.kind import Kind
from apiserver.core.patch import apply
from apiserver.core.table import Moment
from apiserver.rest.protobuf_messages import message_pool
from machinery.model.requests import PatchType
from tests.support.served_kinds import EXAMPLES, KINDS, NOW_S, created, example, read, updated

EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)


def test_every_kind_has_an_example_here() -> None:
    """So that what follows is said of all of them."""
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        ("ReplicationController", "/registry/controllers"),
        ("Ingress", "/registry/ingress"),
        ("Job", "/registry/jobs"),
    ],
)
def test_they_are_stored_where_kubernetes_stores_them(kind: str, prefix: str) -> None:
    """So that etcdctl shows the same."""
    assert KINDS[kind].storage_prefix == prefix


@pytest.mark.parametrize(
    ("kind", "short", "categories", "parts", "namespaced"),
    [
        ("ControllerRevision", "", "", "", True),
        ("CronJob", "cj", "all", "status", True),
        ("DaemonSet", "ds", "all", "status", True),
        ("HorizontalPodAutoscaler", "hpa", "all", "status", True),
        ("Ingress", "ing", "", "status", True),
        ("IngressClass", "", "", "", False),
        ("Job", "", "all", "status", True),
        ("LimitRange", "limits", "", "", True),
        ("NetworkPolicy", "netpol", "", "", True),
        ("PersistentVolume", "pv", "", "status", False),
        ("PersistentVolumeClaim", "pvc", "", "status", True),
        ("PodDisruptionBudget", "pdb", "", "status", True),
        ("PodTemplate", "", "", "", True),
        ("PriorityClass", "pc", "", "", False),
        ("ReplicationController", "rc", "all", "scale status", True),
        ("ResourceQuota", "quota", "", "status", True),
        ("RuntimeClass", "", "", "", False),
        ("StatefulSet", "sts", "all", "scale status", True),
        ("StorageClass", "sc", "", "", False),
    ],
)
def test_discovery_lists_them_as_kubernetes_does(
    kind: str, short: str, categories: str, parts: str, namespaced: bool
) -> None:
    """Short names, categories, subresources and scope."""
    found = KINDS[kind]
    assert found.short_names == tuple(short.split())
    assert found.categories == tuple(categories.split())
    assert sorted(found.subresources) == parts.split()
    assert found.namespaced is namespaced
    assert Discovery([found]).versions(found.group) == (found.version,)


@EACH
def test_defaults_change_nothing_when_they_run_again(kind: Kind) -> None:
    """An object that was read is as it will be read again."""
    once = read(example(kind))
    assert kind.rules.default(deepcopy(once)) == once
    assert read(once) == once


@EACH
def test_an_object_that_is_written_back_is_not_changed(kind: Kind) -> None:
    """And nothing of the one that was sent is, either."""
    given = example(kind)
    before = deepcopy(given)
    stored = created(given)
    assert given == before
    kept = deepcopy(stored)
    assert updated(stored, stored) == stored == kept


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if kind.kind != "EndpointSlice"],  # its labels count
    ids=lambda kind: kind.kind,
)
def test_labels_make_no_generation(kind: Kind) -> None:
    """Except for none: a change of the metadata alone is not one of what is wanted."""
    stored = created(example(kind))
    labelled = {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
    changed = updated(labelled, stored)
    assert changed["metadata"].get("generation") == stored["metadata"].get("generation")
    assert changed["metadata"]["labels"]["a"] == "b"


@EACH
def test_every_kind_is_printed_even_when_empty(kind: Kind) -> None:
    """An object without anything gets a cell for each column."""
    table = kind.rules.table
    assert len(table.row({"metadata": {}}, Moment(NOW_S))) == len(table.columns)
    assert all(column.description or column.priority for column in table.columns)


@EACH
def test_an_object_without_anything_is_answered(kind: Kind) -> None:
    """It is refused or taken, and nothing breaks."""
    bare: dict[str, Any] = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    obj = read(bare)
    assert isinstance(kind.rules.validate.create(obj), list)
    assert isinstance(kind.rules.validate.update(obj, created(example(kind))), list)
    assert isinstance(kind.rules.validate.status(obj, obj), list)
    assert kind.rules.unbuilt({}) == ""
    assert isinstance(kind.rules.unenforced({"metadata": {}}), tuple)
    assert isinstance(kind.rules.fields({}), dict)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("StatefulSet", ("spec", "template", "spec")),
        ("DaemonSet", ("spec", "template", "spec")),
        ("Job", ("spec", "template", "spec")),
        ("ReplicationController", ("spec", "template", "spec")),
        ("PodTemplate", ("template", "spec")),
        ("CronJob", ("spec", "jobTemplate", "spec", "template", "spec")),
    ],
)
def test_a_strategic_merge_finds_a_container_by_its_name(kind: str, path: tuple[str, ...]) -> None:
    """It becomes part of the one that is there, however deep in the object that stands."""
    patch: dict[str, Any] = {"containers": [{"name": "main", "image": "app:2"}]}
    for name in reversed(path):
        patch = {name: patch}
    current = example(KINDS[kind])
    found: Any = apply.apply_patch(
        schemas.load(), KINDS[kind].definition, PatchType.STRATEGIC_MERGE, current, {**patch}
    )
    for name in path:
        found = found[name]
    assert found["containers"] == [{"name": "main", "image": "app:2"}]


@EACH
def test_protobuf_has_a_message_for_each(kind: Kind) -> None:
    """As its schema is called, so that typed clients can send one."""
    name = kind.definition.replace("io.k8s.", "k8s.io.").replace("-", "_")
    message = message_pool().FindMessageTypeByName(name)
    assert set(EXAMPLES[kind.kind]) <= {field.json_name for field in message.fields}
