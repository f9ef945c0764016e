"""Whether a schema has the form of JSONSchemaProps all the way down: each keyword a value of its type.

The published definition of JSONSchemaProps leaves `items` and `additionalProperties` open, so what stands there has
been read by nobody. What works on schemas trusts their form, and is called after this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from apiserver.core.values import Json


def malformed(schema: Any) -> str:
    """Return what is wrong with the form of a schema, or "". It does not recurse."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, dict):
            return f"json: cannot unmarshal {_name(each)} into Go value of type v1.JSONSchemaProps"
        for keyword, value in each.items():
            check = _KEYWORDS.get(keyword)
            if check is None or value is None:
                continue
            expected, holds = check
            if not holds(value):
                told = f"JSONSchemaProps.{keyword} of type {expected}"
                return f"json: cannot unmarshal {_name(value)} into Go struct field {told}"
            waiting += _schemas(keyword, value)
    return ""


def _schemas(keyword: str, value: Any) -> Iterator[Any]:
    if keyword in _MAPS:
        yield from (
            each for each in value.values() if not (keyword == "dependencies" and isinstance(each, list))
        )
    elif keyword in _LISTS or (keyword == "items" and isinstance(value, list)):
        yield from value
    elif keyword in _SINGLE and not isinstance(value, bool):
        yield value


def _name(value: Any) -> str:
    return _NAMES.get(type(value), "null")


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_rules(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and _is_rule(each) for each in value)


def _is_rule(rule: Json) -> bool:
    return all(
        value is None or isinstance(value, bool if name == "optionalOldSelf" else str)
        for name, value in rule.items()
    )


_NAMES: Final = {str: "string", int: "number", float: "number", bool: "bool", list: "array", dict: "object"}
_MAPS: Final = frozenset({"properties", "patternProperties", "definitions", "dependencies"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf"})
_SINGLE: Final = frozenset({"not", "items", "additionalProperties", "additionalItems"})
_TEXT: Final = ("string", _is(str))
_FLAG: Final = ("bool", _is(bool))
_NUMBER: Final = ("float64", _is(int, float))
_COUNT: Final = ("int64", _is(int))
_KEYWORDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    **dict.fromkeys(("id", "$schema", "$ref", "type", "format", "title", "description", "pattern"), _TEXT),
    **dict.fromkeys(("x-kubernetes-list-type", "x-kubernetes-map-type"), _TEXT),
    **dict.fromkeys(("nullable", "uniqueItems", "exclusiveMaximum", "exclusiveMinimum"), _FLAG),
    **dict.fromkeys(("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"), _FLAG),
    "x-kubernetes-int-or-string": _FLAG,
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), _NUMBER),
    **dict.fromkeys(
        ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"), _COUNT
    ),
    **dict.fromkeys(("required", "x-kubernetes-list-map-keys"), ("[]string", _is_texts)),
    "enum": ("[]v1.JSON", _is(list)),
    "x-kubernetes-validations": ("[]v1.ValidationRule", _is_rules),
    **dict.fromkeys(_MAPS, ("map[string]v1.JSONSchemaProps", _is(dict))),
    **dict.fromkeys(_LISTS, ("[]v1.JSONSchemaProps", _is(list))),
    "not": ("v1.JSONSchemaProps", _is(dict)),
    "items": ("v1.JSONSchemaPropsOrArray", _is(dict, list)),
    **dict.fromkeys(
        ("additionalProperties", "additionalItems"), ("v1.JSONSchemaPropsOrBool", _is(dict, bool))
    ),
}
