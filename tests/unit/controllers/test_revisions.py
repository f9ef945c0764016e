"""The histories of templates that StatefulSets and DaemonSets keep."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controllers.core.actions import Create, Patch
from controllers.core.revisions import (
    HASH_LABEL,
    ControllerRevision,
    Current,
    current,
    data_of,
    hash_of,
    in_order,
    name_of,
    next_number,
    surplus,
    template_of,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from tests.support.controllers import owner, replica_set, template

OWNER = replica_set("db")  # anything that owns
ONE, TWO, THREE = template("app:1"), template("app:2"), template("app:3")


def revision(name: str, number: int, of: dict[str, Any], **metadata: Any) -> ControllerRevision:
    """Return a revision of the owner's."""
    meta = {"name": name, "namespace": "default", "ownerReferences": [owner(OWNER)], **metadata}
    return ControllerRevision(metadata=ObjectMeta(**meta), data=data_of(of), revision=number)


FIRST, SECOND = revision("db-a", 1, ONE), revision("db-b", 2, TWO)


def find(of: dict[str, Any], *owned: ControllerRevision, collisions: int = 0, **named: Any) -> Current:
    """Find the revision of a template of the owner's."""
    names = {each.metadata.name: each for each in owned} | named
    return current(
        OWNER, of, owned, names, collisions, hash_label=HASH_LABEL, annotations={"why": "a change"}
    )


def test_the_template_of_the_last_revision_needs_no_write():
    """Neither does one that differs in nulls only."""
    assert find(TWO, FIRST, SECOND) == Current(SECOND)
    with_null = {**TWO, "metadata": {**TWO["metadata"], "creationTimestamp": None}}
    assert find(with_null, SECOND, FIRST) == Current(SECOND)


def test_a_new_template_gets_a_new_revision():
    """Named by its hash, labelled as its pods, owned, annotated as its owner, and one above all others."""
    found = find(THREE, FIRST, SECOND)
    digest = hash_of(THREE, 0)
    [create] = found.writes
    assert isinstance(create, Create)
    assert create.object == found.revision
    assert found.revision.revision == 3
    assert found.revision.metadata == ObjectMeta(
        name=f"db-{digest}",
        namespace="default",
        labels={"app": "web", HASH_LABEL: digest},
        annotations={"why": "a change"},
        ownerReferences=[owner(OWNER)],
    )
    assert found.revision.data == {"spec": {"template": {**THREE, "$patch": "replace"}}}
    assert [*found.revision.data["spec"]["template"]] == ["$patch", "metadata", "spec"]


def test_an_earlier_template_raises_its_revision():
    """At the state that was read; nothing else of it changes."""
    found = find(ONE, FIRST, SECOND)
    [patch] = found.writes
    assert isinstance(patch, Patch)
    assert (patch.name, patch.patch["revision"]) == ("db-a", 3)
    assert "resourceVersion" in patch.patch["metadata"]
    assert found.revision == msgspec.structs.replace(FIRST, revision=3)


@pytest.mark.parametrize(("same", "collided"), [(True, False), (False, True)])
def test_a_name_that_is_taken_collides_unless_it_is_the_same_template(same: bool, collided: bool):
    """After a collision is counted, the name is another one."""
    name = name_of("db", hash_of(THREE, 0))
    there = revision(name, 7, THREE if same else TWO)
    assert find(THREE, FIRST, **{name: there}) == Current(there, collided=collided)
    assert find(THREE, FIRST, collisions=1, **{name: there}).revision.metadata.name != name


def test_the_order_is_by_number_then_age_then_name():
    """The next number is one above the highest, 1 for the first."""
    old = revision("db-z", 2, TWO, creationTimestamp="2026-01-01T00:00:00Z")
    new = revision("db-c", 2, TWO, creationTimestamp="2026-01-02T00:00:00Z")
    other = revision("db-d", 2, TWO, creationTimestamp="2026-01-02T00:00:00Z")
    assert in_order([other, new, FIRST, old]) == [FIRST, old, new, other]
    assert (next_number([]), next_number([SECOND, FIRST])) == (1, 3)


@pytest.mark.parametrize(
    ("live", "limit", "gone"),
    [
        ((), 1, ["db-1", "db-2", "db-3"]),
        (("db-1", "db-4"), 1, ["db-2"]),
        (("db-1",), 10, []),
        ((), 0, ["db-1", "db-2", "db-3", "db-4"]),
        ((), -1, []),
        ((), None, []),
    ],
)
def test_the_oldest_beyond_the_limit_go_but_not_those_in_use(
    live: tuple[str, ...], limit: int | None, gone: list[str]
):
    """Those in use do not count either."""
    owned = [revision(f"db-{number}", number, template(f"app:{number}")) for number in (4, 2, 1, 3)]
    assert [each.metadata.name for each in surplus(owned, live, limit)] == gone


@pytest.mark.parametrize("data", [None, "text", {"spec": []}, {"spec": {"template": None}}, {}])
def test_a_revision_gives_its_template_back(data: Any):
    """One without a template changes nothing."""
    assert template_of(FIRST, TWO) == ONE
    assert template_of(ControllerRevision(data=data), TWO) == TWO
