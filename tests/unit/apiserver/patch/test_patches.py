"""The three kinds of patch, and what is wrong with those that do not apply."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from apiserver import schemas
from apiserver.core.patch import apply_patch
from apiserver.core.patch.json_patch import DoesNotApply
from apiserver.core.values import Json
from machinery.model.errors import BadRequest, Invalid, TooLarge
from machinery.model.requests import PatchType
from tests.support.stalls import using

POD = "io.k8s.api.core.v1.Pod"


def _patched(kind: PatchType, current: Json, patch: Any, definition: str = POD) -> Json:
    before, sent = deepcopy(current), deepcopy(patch)
    result = apply_patch(schemas.load(), definition, kind, current, patch)
    assert (current, patch) == (before, sent)
    return result


def _json(current: Json, *operations: Any) -> Json:
    return _patched(PatchType.JSON, current, list(operations))


def _strategic(current: Json, patch: Any) -> Json:
    return _patched(PatchType.STRATEGIC_MERGE, current, patch)


def _containers(*containers: Any, **spec: Any) -> Json:
    return {"spec": {"containers": list(containers), **spec}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/c", "value": 1}, {"a": {"b": [1, 2], "c": 1}}),
        ({"op": "add", "path": "/a/b/1", "value": 9}, {"a": {"b": [1, 9, 2]}}),
        ({"op": "add", "path": "/a/b/-", "value": 9}, {"a": {"b": [1, 2, 9]}}),
        ({"op": "add", "path": "/a/b/2", "value": 9}, {"a": {"b": [1, 2, 9]}}),
        ({"op": "add", "path": "", "value": {"x": 1}}, {"x": 1}),
        ({"op": "remove", "path": "/a/b/0"}, {"a": {"b": [2]}}),
        ({"op": "replace", "path": "/a/b", "value": None}, {"a": {"b": None}}),
        ({"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": [1, 2]}),
        ({"op": "copy", "from": "/a/b", "path": "/c"}, {"a": {"b": [1, 2]}, "c": [1, 2]}),
        ({"op": "test", "path": "/a/b/0", "value": 1.0}, {"a": {"b": [1, 2]}}),
    ],
)
def test_json_patch_operations(operation: Json, expected: Json) -> None:
    """Each operation of RFC 6902 does what it says."""
    assert _json({"a": {"b": [1, 2]}}, operation) == expected


def test_json_pointers_escape_slashes_and_tildes() -> None:
    """~1 is a slash, ~0 a tilde."""
    patch = {"op": "replace", "path": "/metadata/labels/a~1b~0c", "value": "2"}
    assert _json({"metadata": {"labels": {"a/b~c": "1"}}}, patch) == {"metadata": {"labels": {"a/b~c": "2"}}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("x", "operation 0 of the JSON patch has to be a JSON object"),
        ({"op": "merge", "path": "/a"}, "op has to be one of add, copy"),
        ({"op": "add", "path": "a", "value": 1}, 'has to start with "/"'),
        ({"op": "add", "path": "/a"}, "value is missing"),
        ({"op": "move", "from": "/a", "path": "/a/b"}, "a value cannot be moved into itself"),
        ({"op": "copy", "path": "/a"}, "from has to be a JSON pointer"),
        ({"op": "remove", "path": "/a~2"}, "has to be followed by 0 or 1"),
    ],
)
def test_a_malformed_json_patch_is_a_bad_request(operation: Any, expected: str) -> None:
    """The message says which operation is wrong, and how."""
    with pytest.raises(BadRequest) as caught:
        _json({"a": 1}, operation)
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "remove", "path": "/b"}, 'nothing is at "/b"'),
        ({"op": "replace", "path": "/a/9", "value": 1}, "there is no index 9"),
        ({"op": "add", "path": "/a/01", "value": 1}, "there is no index 01"),
        ({"op": "add", "path": "/x/y", "value": 1}, 'nothing is at "/x/y"'),
        ({"op": "test", "path": "/a", "value": [True]}, "testing value /a failed: test failed"),
    ],
)
def test_a_json_patch_that_does_not_apply_is_invalid(operation: Json, expected: str) -> None:
    """The object is not as the patch supposes; what exactly, Kubernetes does not tell: clients print causes, and it has none."""
    with pytest.raises(DoesNotApply) as caught:
        _json({"a": [1]}, operation)
    assert caught.value.message == "the server rejected our request due to an error in our request"
    assert caught.value.causes == ()
    assert expected in caught.value.problem


def test_a_json_patch_that_leaves_nothing_is_invalid() -> None:
    """An object stays one."""
    with pytest.raises(Invalid, match="leaves no object"):
        _json({"a": [1]}, {"op": "remove", "path": ""})


@pytest.mark.deep
def test_a_json_patch_has_a_bound() -> None:
    """Ten thousand operations, and no more; nor may copies grow without end."""
    test = {"op": "test", "path": "/a", "value": 1}
    assert _json({"a": 1}, *[test] * 10_000) == {"a": 1}
    with pytest.raises(TooLarge):
        _json({"a": 1}, *[test] * 10_001)
    with pytest.raises(TooLarge, match="copies too much"):
        _json({"a": {}}, *[{"op": "copy", "from": "/a", "path": f"/a/{n}"} for n in range(40)])


def test_a_copy_is_a_value_of_its_own() -> None:
    """What is changed in one place afterwards does not show in the other."""
    copied = {"op": "copy", "from": "/a", "path": "/b"}
    changed = {"op": "add", "path": "/b/x", "value": 2}
    assert _json({"a": {"x": 1, "l": [1.0]}}, copied, changed) == {
        "a": {"x": 1, "l": [1.0]},
        "b": {"x": 2, "l": [1.0]},
    }


def test_a_merge_patch_removes_by_null_and_replaces_lists() -> None:
    """RFC 7386: lists are values."""
    current = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    patch = {"a": {"b": None}, "l": [3], "n": {"x": None, "y": 1}}
    assert _patched(PatchType.MERGE, current, patch) == {"a": {"c": 2}, "l": [3], "n": {"y": 1}}


@pytest.mark.parametrize("kind", [PatchType.MERGE, PatchType.STRATEGIC_MERGE])
def test_a_merge_patch_is_an_object(kind: PatchType) -> None:
    """A list is no merge patch."""
    with pytest.raises(BadRequest):
        _patched(kind, {}, [])


def test_server_side_apply_is_something_else() -> None:
    """It is no merge patch in disguise."""
    with pytest.raises(ValueError, match="applied"):
        _patched(PatchType.APPLY, {}, {})


def test_elements_merge_by_their_key() -> None:
    """A container that the patch names is merged, one that it does not stays."""
    current = _containers({"name": "a", "image": "1"}, {"name": "b", "image": "1", "tty": True})
    patch = _containers({"name": "b", "image": "2"})
    assert _strategic(current, patch) == _containers(
        {"name": "a", "image": "1"}, {"name": "b", "image": "2", "tty": True}
    )


def test_a_new_element_goes_before_the_others() -> None:
    """What only the patch has comes first, as Kubernetes does it."""
    patched = _strategic(_containers({"name": "a"}), _containers({"name": "b", "image": None}))
    assert patched == _containers({"name": "b"}, {"name": "a"})


def test_an_element_is_deleted_by_its_key() -> None:
    """$patch: delete takes the element of that key out."""
    current = _containers({"name": "a"}, {"name": "b"})
    assert _strategic(current, _containers({"name": "a", "$patch": "delete"})) == _containers({"name": "b"})


def test_a_list_or_a_map_is_replaced() -> None:
    """$patch: replace puts the patch in place of what was there."""
    current = _containers({"name": "a"}, {"name": "b"}, nodeSelector={"x": "1"})
    patch = _containers({"name": "c"}, {"$patch": "replace"}, nodeSelector={"y": "2", "$patch": "replace"})
    assert _strategic(current, patch) == _containers({"name": "c"}, nodeSelector={"y": "2"})


def test_set_element_order_sorts_what_both_know() -> None:
    """The order of the directive wins; an element of the server alone stays before what it stood before."""
    current = _containers({"name": "a"}, {"name": "s"}, {"name": "b"})
    patch = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    names = [each["name"] for each in _strategic(current, patch)["spec"]["containers"]]
    assert names == ["s", "b", "a"]


def test_a_set_of_scalars_grows_and_shrinks() -> None:
    """Finalizers merge as a set; $deleteFromPrimitiveList takes values out."""
    current = {"metadata": {"finalizers": ["a/1", "a/2"]}}
    added = _strategic(current, {"metadata": {"finalizers": ["a/2", "a/3"]}})
    assert sorted(added["metadata"]["finalizers"]) == ["a/1", "a/2", "a/3"]
    gone = _strategic(current, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/1"]}})
    assert gone == {"metadata": {"finalizers": ["a/2"]}}


def test_retain_keys_clears_the_rest() -> None:
    """What $retainKeys does not name goes: a union changes its member."""
    current = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    volume = {"name": "v", "hostPath": {"path": "/x"}, "$retainKeys": ["name", "hostPath"]}
    assert _strategic(current, {"spec": {"volumes": [volume]}}) == {
        "spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
    }


def test_no_directive_is_ever_stored() -> None:
    """What meets nothing to merge with loses its directives, too."""
    patch = _containers({"name": "a", "env": [{"name": "X", "$patch": "delete"}], "$setElementOrder/env": []})
    assert _strategic({}, patch) == _containers({"name": "a", "env": []})


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (_containers({"image": "x"}), "spec.containers[0] does not contain the declared merge key: name"),
        (_containers("x"), "spec.containers[0] has to be a JSON object"),
        ({"spec": {"$patch": "invert"}}, "spec: $patch has to be replace, delete or merge"),
        ({"spec": {"$setElementOrder/containers": "a"}}, "spec.$setElementOrder/containers has to be a list"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, "spec.$retainKeys has to name every field"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": 1}}, "has to be a list"),
        (
            {**_containers({"name": "a"}), "spec": {"containers": [{"name": "a"}], "$setElementOrder/containers": [{"name": "b"}]}},
            "the order in the patch's list does not match it",
        ),
    ],
)  # fmt: skip
def test_a_malformed_strategic_patch_is_a_bad_request(patch: Json, expected: str) -> None:
    """The message names the place."""
    with pytest.raises(BadRequest) as caught:
        _strategic(_containers({"name": "a"}), patch)
    assert expected in caught.value.message


def _nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("kind", [PatchType.MERGE, PatchType.STRATEGIC_MERGE])
def test_a_patch_that_is_nested_too_deeply_is_refused(kind: PatchType) -> None:
    """It is the client's fault, not the server's."""
    with pytest.raises(BadRequest, match="nested too deeply"):
        apply_patch(schemas.load(), POD, kind, {}, _nested(5000))


def test_a_json_patch_compares_no_values_that_are_nested_too_deeply() -> None:
    """A test walks both of them."""
    operations = [{"op": "test", "path": "/x", "value": _nested(5000)}]
    with pytest.raises(BadRequest, match="nested too deeply"):
        apply_patch(schemas.load(), POD, PatchType.JSON, {"x": _nested(5000)}, operations)


FINALIZERS = [f"a.example/f{number}" for number in range(20_000)]
OTHERS = [f"a.example/g{number}" for number in range(20_000)]
OWNERS = [{"apiVersion": "v1", "kind": "Pod", "name": f"p{n}", "uid": f"u{n}"} for n in range(5_000)]
PORTS = [{"name": f"p{number}", "port": number + 1} for number in range(10_000)]
MANY: dict[str, tuple[PatchType, Json, Any]] = {
    "$deleteFromPrimitiveList": (
        PatchType.STRATEGIC_MERGE,
        {"metadata": {"finalizers": FINALIZERS}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": OTHERS}},
    ),
    "a list of scalars": (
        PatchType.STRATEGIC_MERGE,
        {"metadata": {"finalizers": FINALIZERS}},
        {"metadata": {"finalizers": OTHERS}},
    ),
    "$setElementOrder": (
        PatchType.STRATEGIC_MERGE,
        {"spec": {"ports": PORTS}},
        {"spec": {"ports": PORTS[::-1], "$setElementOrder/ports": PORTS[::-1]}},
    ),
    "elements that are deleted": (
        PatchType.STRATEGIC_MERGE,
        {"spec": {"ports": PORTS}},
        {"spec": {"ports": [{"$patch": "delete", "port": number} for number in range(1, 20_000, 2)]}},
    ),
    "ownerReferences": (
        PatchType.STRATEGIC_MERGE,
        {"metadata": {"ownerReferences": OWNERS}},
        {"metadata": {"ownerReferences": OWNERS[::-1]}},
    ),
    "operations on a large object": (
        PatchType.JSON,
        {"data": {f"k{number}": "v" for number in range(80_000)}},
        [{"op": "add", "path": f"/data/n{number}", "value": "x"} for number in range(10_000)],
    ),
    "a path of many parts": (
        PatchType.JSON,
        {"a": {"a": {}}},
        [{"op": "test", "path": "/a/a", "value": {}}, {"op": "add", "path": "/a" * 500000, "value": 1}],
    ),
}


@pytest.mark.parametrize("what", MANY)
def test_a_patch_costs_as_much_as_it_and_the_object_are_long(what: str) -> None:
    """Seconds to half a minute where each part of the one is looked for in all of the other."""
    kind, current, patch = MANY[what]
    definition = "io.k8s.api.core.v1.Service" if "spec" in current else POD
    with using(less_than_s=1.5), suppress(Invalid):
        apply_patch(schemas.load(), definition, kind, current, patch)


def test_a_path_that_leads_nowhere_is_told_in_short() -> None:
    """It may be as long as a body."""
    with pytest.raises(Invalid) as error:
        _json({}, {"op": "add", "path": "/a" * 500_000, "value": 1})
    assert len(error.value.message) < 2000


def test_a_copy_is_another_value() -> None:
    """What is changed at one of the two places stays as it is at the other; nothing that was given changes."""
    operations = [
        {"op": "add", "path": "/a/x", "value": {"deep": []}},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/b/x/deep/-", "value": 1},
        {"op": "move", "from": "/a", "path": "/c"},
        {"op": "add", "path": "/c/x/deep/-", "value": 2},
        {"op": "copy", "from": "/c", "path": "/d"},
        {"op": "replace", "path": "/c/x/deep/0", "value": 3},
    ]
    assert _json({"a": {}}, *operations) == {
        "b": {"x": {"deep": [1]}},
        "c": {"x": {"deep": [3]}},
        "d": {"x": {"deep": [2]}},
    }


@pytest.mark.deep
def test_a_patch_that_moves_a_list_again_and_again_is_refused() -> None:
    """Every element behind the place makes room; that many times it would take seconds."""
    many = [{"op": "add", "path": "/a/0", "value": 1}] * 10_000
    assert len(_patched(PatchType.JSON, {"a": [0] * 1_000}, many)["a"]) == 11_000
    with pytest.raises(TooLarge, match="moves too much of a list"):
        _patched(PatchType.JSON, {"a": [0] * 100_000}, many)
