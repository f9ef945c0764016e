"""Whether a value holds to its schema: every keyword that Kubernetes knows, in one walk.

`check_value` finds all that is wrong with a value, in the order of the document. Given the old value as well, it
says nothing of what has not changed (validation ratcheting): unchanged values that a newer schema refuses may stay.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.custom import formats
from apiserver.core.custom.problems import NOWHERE, combination, not_one_of, number_text, wrong, wrong_type
from apiserver.core.custom.structural import Structural, canonical, comparable
from machinery.model import patterns
from machinery.model.errors import Cause

_INT64: Final = 2**63
_INT32: Final = 2**31
_WHOLE: Final = 2**53  # above, a float is no integer that JSON is sure of
_FLOAT32: Final = 3.4028234663852886e38
MOST_STEPS: Final = 3_000_000  # twice the values that fit into the largest body


class Missing:
    """There is no old value."""


MISSING: Final = Missing()


@dataclass(slots=True)
class Result:
    """What was found, and how many checks held: of several alternatives the one with most is told of."""

    causes: list[Cause] = field(default_factory=list)
    matched: int = 0

    def merge(self, other: Result) -> None:
        """Add what was found elsewhere."""
        self.causes += other.causes
        self.matched += other.matched


class _OutOfSteps(Exception):  # noqa: N818 - it ends a walk
    """The value and the schema together are more than one request may cost."""


@dataclass(slots=True)
class _Walk:
    """What is left of the steps; one step is one value against one schema."""

    left: int
    alternatives: int = (
        0  # how deep in schemas of which one, or all, have to hold: there checks that hold are counted
    )


def check_value(
    value: Any, schema: Structural, path: str = "", old: Any = MISSING, most_steps: int = MOST_STEPS
) -> list[Cause]:
    """Find what is wrong with a value. `old` is what stood there before.

    A field of the whole that has not changed is not walked through. Alternatives multiply: what would take more than `most_steps` is refused, with a cause that says so.
    """
    try:
        return _check(_Walk(most_steps), value, schema, path, old).causes
    except _OutOfSteps:
        return [Cause(NOWHERE, f'Invalid value: "": its validation takes more than {most_steps} steps')]


def _check(walk: _Walk, value: Any, schema: Structural, path: str, old: Any = MISSING) -> Result:
    result = _checked(walk, value, schema, path, old)
    if result.causes and old is not MISSING and equal(value, old):
        return Result(matched=result.matched)
    return result


def equal(value: Any, other: Any) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    return type(value) is type(other) and canonical(value) == canonical(other)


def _checked(walk: _Walk, value: Any, schema: Structural, path: str, old: Any) -> Result:
    walk.left -= 1
    if walk.left < 0:
        raise _OutOfSteps
    result = Result()
    found = json_type(value)
    if value is None:
        if schema.types and not schema.nullable:
            result.causes.append(wrong_type(path, ",".join(schema.types), "null"))
        else:
            _check_enum(value, schema, path, result)
        return result
    if schema.types and not _has_type(value, found, schema.types):
        result.causes.append(wrong_type(path, ",".join(schema.types), found))
    else:
        result.matched += 2
    _check_combinations(walk, value, schema, path, old, result)
    if found == "string":
        _check_string(value, schema, path, result)
    elif found in {"integer", "number"}:
        _check_number(value, schema, path, result)
    elif found == "array":
        _check_list(walk, value, schema, path, old, result)
    _check_enum(value, schema, path, result)
    if found == "object":
        _check_object(walk, value, schema, path, old, result)
    result.matched += 2
    return result


def json_type(value: Any) -> str:
    """Return the schema's name of a value's type. Integers beyond 64 bits are numbers, as they are to Go."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_INT64 <= value < _INT64 else "number"
    return _TYPES.get(type(value), "null")


_TYPES: Final[dict[type, str]] = {str: "string", float: "number", list: "array", dict: "object"}


def _has_type(value: Any, found: str, types: tuple[str, ...]) -> bool:
    if found in types:
        return True
    if found == "number" and "integer" in types:
        return isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE
    return found == "integer" and "number" in types


def _check_string(value: str, schema: Structural, path: str, result: Result) -> None:
    raw = schema.raw
    longest, shortest, pattern = raw.get("maxLength"), raw.get("minLength"), raw.get("pattern")
    if longest is not None and len(value) > longest:
        result.causes.append(field_errors.too_long(path, int(longest)))
    elif shortest is not None and len(value) < shortest:
        result.causes.append(wrong(path, value, f"should be at least {int(shortest)} chars long"))
    elif pattern and not _matches(pattern, value):
        result.causes.append(wrong(path, value, f"should match '{pattern}'"))
    else:
        result.matched += 1
    name = raw.get("format")
    if name and schema.types in {(), ("string",)}:
        if formats.has_format(name, value):
            result.matched += 1
        else:
            result.causes.append(wrong_type(path, name, value))


def _matches(pattern: str, value: str) -> bool:
    try:
        return patterns.compile_pattern(pattern).search(value) is not None
    except (
        ValueError
    ):  # a schema that was stored before patterns were checked: nothing matches what is no pattern
        return False


def _check_number(value: float, schema: Structural, path: str, result: Result) -> None:
    raw, before = schema.raw, len(result.causes)
    factor, least, most = raw.get("multipleOf"), raw.get("minimum"), raw.get("maximum")
    if outside := _out_of_range(value, schema):
        result.causes.append(Cause(NOWHERE, f'Invalid value: "": Checked value {outside} in {path}'))
    if factor is not None and not _is_multiple(value, factor):
        result.causes.append(wrong(path, value, f"should be a multiple of {number_text(factor)}"))
    if most is not None:
        exclusive = bool(raw.get("exclusiveMaximum"))
        if value > most or (exclusive and value == most):
            text = "less than" if exclusive else "less than or equal to"
            result.causes.append(wrong(path, value, f"should be {text} {number_text(most)}"))
    if least is not None:
        exclusive = bool(raw.get("exclusiveMinimum"))
        if value < least or (exclusive and value == least):
            text = "greater than" if exclusive else "greater than or equal to"
            result.causes.append(wrong(path, value, f"should be {text} {number_text(least)}"))
    result.matched += len(result.causes) == before


def _out_of_range(value: float, schema: Structural) -> str:
    kind, name = schema.raw.get("type"), schema.raw.get("format")
    if (
        (kind == "integer" and name == "int32" and not -_INT32 <= value < _INT32)
        or (kind == "integer" and name == "int64" and not -_INT64 <= value < _INT64)
        or (kind == "number" and name == "float" and abs(value) > _FLOAT32)
    ):
        return f"must be of type {kind} with format {name}"
    return ""


def _is_multiple(value: float, factor: float) -> bool:
    if factor <= 0:
        return False
    if isinstance(value, int) and (isinstance(factor, int) or factor.is_integer()):
        return value % int(factor) == 0
    try:
        times = 1 / factor * value if factor < 1 else value / factor
    except OverflowError:  # an integer beyond all floats
        return False
    return abs(times) != float("inf") and abs(times - round(times)) < 1e-9 * max(1.0, abs(times))


def _check_enum(value: Any, schema: Structural, path: str, result: Result) -> None:
    if schema.enum and comparable(value) not in schema.enum:
        result.causes.append(not_one_of(path, value, schema.raw["enum"]))
    else:
        result.matched += 1


def _check_list(
    walk: _Walk, value: list[Any], schema: Structural, path: str, old: Any, result: Result
) -> None:
    raw, size = schema.raw, len(value)
    items = schema.items
    if items is not None:
        before = _OldItems(schema, old)
        for index, item in enumerate(value):
            result.merge(_check(walk, item, items, f"{path}[{index}]", before.of(index, item)))
    least, most = raw.get("minItems"), raw.get("maxItems")
    if least is not None and size < least:
        result.causes.append(wrong(path, size, f"should have at least {int(least)} items"))
    if most is not None and size > most:
        result.causes.append(field_errors.too_many(path, size, int(most)))
    if raw.get("uniqueItems") and len({canonical(each) for each in value}) < size:
        result.causes.append(wrong(path, "", "shouldn't contain duplicates"))
    result.matched += 1


class _OldItems:
    """Which old item a new one of a list is compared with: by its keys in a map, by its index else, in no set."""

    def __init__(self, schema: Structural, old: Any) -> None:
        self._old = old if isinstance(old, list) else []
        self._keys = schema.map_keys if schema.list_type == "map" else ()
        self._by_keys: dict[bytes, Any] | None = None
        self._by_index = schema.list_type == ""

    def of(self, index: int, item: Any) -> Any:
        """Return the old item, or MISSING."""
        if self._by_index:
            return self._old[index] if index < len(self._old) else MISSING
        if not self._keys or not self._old:
            return MISSING
        if self._by_keys is None:
            self._by_keys = {item_key(each, self._keys): each for each in self._old}
        return self._by_keys.get(item_key(item, self._keys), MISSING)


def item_key(item: Any, keys: tuple[str, ...]) -> bytes:
    """Return what tells an item of a list-map apart: the values of its keys."""
    fields = item if isinstance(item, dict) else {}
    return canonical({name: fields[name] for name in keys if name in fields})


def _check_object(
    walk: _Walk, value: dict[str, Any], schema: Structural, path: str, old: Any, result: Result
) -> None:
    raw, size = schema.raw, len(value)
    least, most = raw.get("minProperties"), raw.get("maxProperties")
    if least is not None and size < least:
        result.causes.append(wrong(path, size, f"should have at least {int(least)} properties"))
        return
    if most is not None and size > most:
        result.causes.append(field_errors.too_many(path, size, int(most)))
        return
    properties, additional, olds = schema.properties, schema.additional, old if isinstance(old, dict) else {}
    closed = raw.get("additionalProperties") is False
    for name, item in value.items():
        inner = properties.get(name, additional)
        if inner is not None:
            before = olds.get(name, MISSING)
            if not path and not walk.alternatives and before is not MISSING and equal(item, before):
                continue  # nothing would be said of it: a status is written again and again beside its spec
            result.merge(_check(walk, item, inner, _child(path, name), before))
        elif closed and name not in properties:
            detail = f"{path}.{name} in body is a forbidden property"
            result.causes.append(field_errors.invalid(path or NOWHERE, name, detail))
    result.causes += [
        field_errors.required(_child(path, name)) for name in schema.required if name not in value
    ]
    result.matched += 1


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_combinations(
    walk: _Walk, value: Any, schema: Structural, path: str, old: Any, result: Result
) -> None:
    raw = schema.raw
    walk.alternatives += 1
    if "anyOf" in raw and schema.any_of:
        _check_any(walk, value, schema, path, old, result)
    if "oneOf" in raw and schema.one_of:
        _check_one(walk, value, schema, path, old, result)
    if "allOf" in raw and schema.all_of:
        _check_all(walk, value, schema, path, old, result)
    if "not" in raw and schema.negated is not None and not _check(walk, value, schema.negated, path).causes:
        result.causes.append(combination(path, "must not validate the schema (not)"))
    walk.alternatives -= 1


def _check_any(walk: _Walk, value: Any, schema: Structural, path: str, old: Any, result: Result) -> None:
    best: Result | None = None
    for each in schema.any_of:
        tried = _checked(walk, value, each, path, old)
        if not tried.causes:
            result.merge(tried)
            return
        if best is None or tried.matched > best.matched:
            best = tried
    result.causes.append(combination(path, "must validate at least one schema (anyOf)"))
    result.merge(best or Result())


def _check_one(walk: _Walk, value: Any, schema: Structural, path: str, old: Any, result: Result) -> None:
    tried = [_checked(walk, value, each, path, old) for each in schema.one_of]
    good = [each for each in tried if not each.causes]
    if len(good) == 1:
        result.merge(good[0])
        return
    told = f"Found {len(good)} valid alternatives" if good else "Found none valid"
    result.causes.append(combination(path, f"must validate one and only one schema (oneOf). {told}"))
    if not good:
        result.merge(max(tried, key=lambda each: each.matched))


def _check_all(walk: _Walk, value: Any, schema: Structural, path: str, old: Any, result: Result) -> None:
    tried = [_checked(walk, value, each, path, old) for each in schema.all_of]
    for each in tried:
        result.merge(each)
    failed = sum(bool(each.causes) for each in tried)
    if failed:
        none = ". None validated" if failed == len(tried) else ""
        result.causes.append(combination(path, f"must validate all the schemas (allOf){none}"))
