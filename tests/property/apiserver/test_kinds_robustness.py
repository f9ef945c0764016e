"""No object makes the rules of its kind stumble, as long as it fits its schema."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import schemas
from apiserver.core import writes
from apiserver.core.kind import Kind
from apiserver.core.schema import ListOf, MapOf, Scalar, Shape, Struct
from apiserver.core.table import Moment
from apiserver.core.values import Json
from machinery.model.errors import Invalid, NotImplementedHere
from tests.support.examples import examples
from tests.support.pod_specs import CONTEXT
from tests.support.served_kinds import KINDS, NOW_S, example

_TEXTS = ["", "a", "A b", "*.a", "1-3,5", "50%", "/x", "10.0.0.0/8", "Pods", "Resource", "Utilization", "In", "NotIn",
          "Exists", "Container", "Pod", "TCP", "Prefix", "Indexed", "FailJob", "RollingUpdate", "OnDelete",
          "* * * * *", "Complete", "True", "ReadWriteOnce", "Block", "Terminating", "PriorityClass"]  # fmt: skip
_SCALARS: dict[Scalar, list[Any]] = {
    Scalar.STRING: _TEXTS,
    Scalar.INT32: [-1, 0, 1, 80, 200_000],
    Scalar.INT64: [-1, 0, 1, 700],
    Scalar.BOOLEAN: [True, False],
    Scalar.QUANTITY: ["0", "-1", "1500u", "1Gi", "500m"],
    Scalar.INT_OR_STRING: [0, 80, -1, "http", "", "30%", "300%"],
    Scalar.TIME: ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"],
}
_LEFT_OUT = {"managedFields", "resourceVersion", "deletionTimestamp", "ownerReferences"}
_KEYS = ["a", "cpu", "storage", "pods", "requests.cpu", "example.com/gpu", "B c"]


def _value(shape: Shape, random: Random, depth: int) -> Any:
    if isinstance(shape, Struct):
        names = [name for name in shape.fields if name not in _LEFT_OUT]
        share = 0.5 if depth < 4 else 0.2
        return {
            name: _value(shape.fields[name], random, depth + 1) for name in names if random.random() < share
        }
    if isinstance(shape, ListOf):
        return [_value(shape.item, random, depth + 1) for _ in range(random.randint(0, 2))]
    if isinstance(shape, MapOf):
        return {
            random.choice(_KEYS): _value(shape.item, random, depth + 1) for _ in range(random.randint(0, 2))
        }
    return random.choice(_SCALARS.get(shape, [None]))


def _changed(shape: Struct, obj: Json, random: Random, depth: int = 0) -> Json:
    """Another object: some fields of this one are others, or gone, or there."""
    result = dict(obj)
    for name, inner in shape.fields.items():
        if name in _LEFT_OUT | {"apiVersion", "kind", "metadata"}:
            continue
        if isinstance(inner, Struct) and isinstance(result.get(name), dict) and random.random() < 0.9:
            result[name] = _changed(inner, result[name], random, depth + 1)
        elif random.random() < 0.15:
            result[name] = _value(inner, random, depth + 2)
        elif random.random() < 0.03:
            result.pop(name, None)
    return result


def _warnings(kind: Kind, new: Json, old: Json | None) -> tuple[str, ...]:
    return () if kind.rules.warnings is None else kind.rules.warnings(new, old)


def _read(kind: Kind, obj: Json) -> Json:
    return writes.read(schemas.load(), kind, obj, namespace="default").obj


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if kind.kind != "CustomResourceDefinition"],  # tested by itself
    ids=lambda kind: kind.kind,
)
@examples(10)
@given(st.integers(0, 2**32))
def test_an_object_is_stored_or_refused_with_reasons(kind: Kind, seed: int) -> None:
    """Nothing but the errors of the API comes out; what is stored may be stored again, and it is printed."""
    shape, random = schemas.load().struct(kind.definition), Random(seed)
    old = writes.create(kind, _read(kind, example(kind)), CONTEXT)
    given_ = _changed(shape, example(kind), random)
    table = kind.rules.table
    for write in (
        lambda: writes.create(kind, _read(kind, given_), CONTEXT),
        lambda: writes.update(kind, _read(kind, _changed(shape, old, random)), old, CONTEXT),
        lambda: writes.update_status(kind, _read(kind, _changed(shape, old, random)), old, CONTEXT),
    ):
        try:
            stored = write()
        except Invalid as error:
            if not error.causes:
                raise
            continue
        except NotImplementedHere as error:
            if not error.message:
                raise
            continue
        assert writes.update(kind, stored, stored, CONTEXT) == stored
        assert len(table.row(stored, Moment(NOW_S))) == len(table.columns)
        assert all(isinstance(_warnings(kind, stored, before), tuple) for before in (None, old))
