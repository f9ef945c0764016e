"""Patches hold what their RFCs say, for any document."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apiserver import schemas
from apiserver.core.patch import apply_patch
from apiserver.core.patch.merge_patch import merge_patch
from apiserver.core.values import Json
from machinery.model.errors import ApiError
from machinery.model.requests import PatchType
from tests.support.examples import examples

_NAMES = st.sampled_from(["a", "b", "c", "d/e", "f~g"])
_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)
_DOCUMENTS = st.dictionaries(_NAMES, _VALUES, max_size=4)


@st.composite
def _operations(draw: st.DrawFn) -> Json:
    path = st.lists(_NAMES | st.sampled_from(["0", "1", "2", "-"]), max_size=3).map(
        lambda parts: "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts),
    )
    op = draw(st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]))
    operation: Json = {"op": op, "path": draw(path)}
    if op in {"move", "copy"}:
        operation["from"] = draw(path)
    if op in {"add", "replace", "test"}:
        operation["value"] = draw(_VALUES)
    return operation


class _NoPlace(Exception):  # noqa: N818 - it names an outcome
    """The model has no place for an operation."""


def _walk(document: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            raise _NoPlace
    return document


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _take(root: list[Any], pointer: str) -> Any:
    parts = [0, *_parts(pointer)]
    *way, last = parts
    holder = root if not way else _walk(root[0], [str(part) for part in way[1:]])
    value = _walk(root[0], _parts(pointer))
    if not way:
        root[0] = None
    elif isinstance(holder, dict):
        del holder[last]
    else:
        del holder[int(last)]
    return value


def _put(root: list[Any], pointer: str, value: Any) -> None:
    parts = _parts(pointer)
    if not parts:
        root[0] = value
        return
    holder, last = _walk(root[0], parts[:-1]), parts[-1]
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last == "-":
        holder.append(value)
    elif isinstance(holder, list) and last.isdigit() and int(last) <= len(holder):
        holder.insert(int(last), value)
    else:
        raise _NoPlace


def _model(document: Json, operations: list[Json]) -> Any:
    """Run a JSON Patch the naive way: on a copy, in place."""
    root: list[Any] = [deepcopy(document)]
    for operation in operations:
        _run(root, operation)
    if not isinstance(root[0], dict):
        raise _NoPlace
    return root[0]


def _run(root: list[Any], operation: Json) -> None:
    path, value = operation["path"], deepcopy(operation.get("value"))
    match operation["op"]:
        case "add":
            _put(root, path, value)
        case "remove":
            _take(root, path)
        case "replace":
            _take(root, path)
            _put(root, path, value)
        case "move":
            _move(root, operation["from"], path)
        case "copy":
            _put(root, path, deepcopy(_walk(root[0], _parts(operation["from"]))))
        case _:
            if _canonical(_walk(root[0], _parts(path))) != _canonical(value):
                raise _NoPlace


def _move(root: list[Any], source: str, path: str) -> None:
    if path.startswith(source + "/"):
        raise _NoPlace
    if path == source:
        _walk(root[0], _parts(path))
    else:
        _put(root, path, _take(root, source))


def _canonical(value: Any) -> str:
    """Write a value so that only equal ones are equal: Python holds True for 1."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return repr(value)


def _apply(kind: PatchType, current: Json, patch: Any) -> Json:
    return apply_patch(schemas.load(), "io.k8s.api.core.v1.Pod", kind, current, patch)


@examples(100)
@given(_DOCUMENTS, st.lists(_operations(), max_size=5))
def test_json_patch_is_the_naive_model(document: Json, operations: list[Json]) -> None:
    """Copy on write gives what changing a copy in place gives, or both refuse; the document stays."""
    before = deepcopy(document)
    try:
        expected: Any = _model(document, operations)
    except _NoPlace:
        expected = None
    try:
        result: Any = _apply(PatchType.JSON, document, operations)
    except ApiError:
        result = None
    assert _canonical(result) == _canonical(expected)
    assert _canonical(document) == _canonical(before)


@examples(100)
@given(_DOCUMENTS, _DOCUMENTS)
def test_a_merge_patch_is_idempotent(document: Json, patch: Json) -> None:
    """Applied twice it changes no more than once, and it leaves what it was given."""
    before = deepcopy(document), deepcopy(patch)
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once
    assert (document, patch) == before


@examples(100)
@given(_DOCUMENTS)
def test_an_empty_merge_patch_changes_nothing(document: Json) -> None:
    """{} says nothing."""
    assert _apply(PatchType.MERGE, document, {}) == document
    assert _apply(PatchType.STRATEGIC_MERGE, document, {}) == document


_CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcdef")},
        optional={"image": st.sampled_from("xyz"), "workingDir": st.sampled_from("pq")},
    ),
    unique_by=lambda each: each["name"],
    max_size=5,
)


def _by_name(obj: Json) -> dict[str, Json]:
    return {each["name"]: each for each in obj["spec"]["containers"]}


@examples(100)
@given(_CONTAINERS, _CONTAINERS, st.randoms(use_true_random=False))
def test_elements_merge_whatever_their_order(current: list[Json], patch: list[Json], random: Any) -> None:
    """Each element gets the patch's fields over its own; the order of the patch decides nothing but order."""
    obj = {"spec": {"containers": current}}
    before = deepcopy(obj)
    shuffled = list(patch)
    random.shuffle(shuffled)
    result = _apply(PatchType.STRATEGIC_MERGE, obj, {"spec": {"containers": patch}})
    other = _apply(PatchType.STRATEGIC_MERGE, obj, {"spec": {"containers": shuffled}})
    old, new = _by_name(obj), {each["name"]: each for each in patch}
    assert _by_name(result) == {name: {**old.get(name, {}), **new.get(name, {})} for name in {*old, *new}}
    assert _by_name(result) == _by_name(other)
    assert obj == before


@examples(100)
@given(_CONTAINERS, _CONTAINERS)
def test_a_strategic_merge_is_idempotent(current: list[Json], patch: list[Json]) -> None:
    """Applied twice it changes no more than once."""
    sent = {"spec": {"containers": patch}}
    once = _apply(PatchType.STRATEGIC_MERGE, {"spec": {"containers": current}}, sent)
    assert _apply(PatchType.STRATEGIC_MERGE, once, sent) == once


@examples(100)
@given(_CONTAINERS, st.permutations("abcdef"))
def test_set_element_order_is_obeyed(current: list[Json], order: list[str]) -> None:
    """The elements come out in the order that the patch asks for."""
    wanted = [{"name": name} for name in order]
    result = _apply(
        PatchType.STRATEGIC_MERGE,
        {"spec": {"containers": current}},
        {"spec": {"$setElementOrder/containers": wanted}},
    )
    names = [each["name"] for each in result["spec"]["containers"]]
    assert names == [name for name in order if name in _by_name(result)]
