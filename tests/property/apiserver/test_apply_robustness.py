"""Whatever a client sends as a configuration or as managedFields, the answer is a decision or the client's fault."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from apiserver.core.apply import apply_configuration, track_update
from apiserver.core.apply.field_set import difference, intersection, paths, read, union
from machinery.model.errors import BadRequest, Conflict
from tests.support.applied import DEPLOYMENTS
from tests.support.examples import examples

_NOW = "2026-01-01T00:00:00Z"
_NAMES = st.sampled_from(
    [
        "metadata",
        "name",
        "annotations",
        "finalizers",
        "managedFields",
        "spec",
        "replicas",
        "template",
        "containers",
        "env",
        "x",
    ]
)
_SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(["", "x"])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=15,
)
_ELEMENTS = st.sampled_from(
    [".", "f:a", "f:b", "v:1", 'k:{"a":1}', 'k:{"a":1,"b":"x"}', "i:0", "k:1", "v:", "x"]
)
_FIELDS = st.recursive(
    st.just({}) | _SCALARS, lambda inner: st.dictionaries(_ELEMENTS, inner, max_size=3), max_leaves=8
)
_SETS = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from([".", "f:a", "f:b", "v:1"]), inner, max_size=3),
    max_leaves=8,
).map(read)
_ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "manager": st.just("me") | _SCALARS,
        "operation": st.just("Update") | _SCALARS,
        "apiVersion": st.just("apps/v1") | _SCALARS,
        "fieldsType": st.just("FieldsV1") | _SCALARS,
        "fieldsV1": _FIELDS,
    },
)
_LIVE = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": 1}}


@examples(100)
@given(st.dictionaries(_NAMES, _VALUES, max_size=4), st.booleans())
def test_any_configuration_is_applied_or_refused(config: dict[str, Any], is_create: bool) -> None:
    """It is a 400 or a 409, or an object whose managers can apply the same again."""
    assume(config.get("metadata", {}) is not None)  # who has no name is refused before
    sent = {"apiVersion": "apps/v1", "kind": "Deployment", **config}
    with suppress(BadRequest, Conflict):
        applied = apply_configuration(DEPLOYMENTS, None if is_create else _LIVE, sent, manager="me", now=_NOW)
        meta = {**(applied.obj.get("metadata") or {}), "managedFields": applied.managed_fields}
        again = apply_configuration(
            DEPLOYMENTS, {**applied.obj, "metadata": meta}, sent, manager="me", now="later"
        )
        assert again.managed_fields == applied.managed_fields
        assert not again.changed


@examples(100)
@given(_VALUES | st.lists(_VALUES | _ENTRIES, max_size=3))
def test_any_managed_fields_are_read_or_ignored(given_fields: Any) -> None:
    """An update stores entries that make sense, whatever it was given."""
    entries = track_update(DEPLOYMENTS, None, _LIVE, manager="me", now=_NOW, given=given_fields)
    for entry in entries:
        assert read(entry["fieldsV1"]) == entry["fieldsV1"]


@examples(100)
@given(_SETS, _SETS)
def test_sets_of_fields_are_sets_of_paths(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Union, intersection and difference are those of the paths; none of them changes what it is given."""
    mine, theirs = set(paths(one)), set(paths(other))
    assert set(paths(union(one, other))) == mine | theirs
    assert set(paths(intersection(one, other))) == mine & theirs
    assert set(paths(difference(one, other))) == mine - theirs
    assert read(union(one, other)) == union(one, other)
    assert read(difference(one, other)) == difference(one, other)
    assert (set(paths(one)), set(paths(other))) == (mine, theirs)
