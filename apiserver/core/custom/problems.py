"""What is wrong with a value: the causes of a 422, in the words of Kubernetes' validator of OpenAPI schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from apiserver.core import field_errors
from machinery.model.errors import Cause

NOWHERE: Final = "<nil>"  # the path of what is said of no field: combinations of schemas
TYPE_INVALID: Final = "FieldValueTypeInvalid"
_BLOCKING: Final = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        TYPE_INVALID,
    }
)
UNCHECKED: Final = Cause(
    NOWHERE,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def blocks_rules(causes: Iterable[Cause]) -> bool:
    """Whether expressions are not tried, since the object has not the form that they were checked for."""
    return any(cause.reason in _BLOCKING for cause in causes)


def in_body(path: str) -> str:
    """Name a place as messages do."""
    return f"{path} in body"


def wrong(path: str, value: Any, detail: str) -> Cause:
    """Refuse a value; the detail begins with its place."""
    return field_errors.invalid(path or NOWHERE, value, f"{in_body(path)} {detail}")


def wrong_type(path: str, expected: str, found: Any) -> Cause:
    """Refuse a value of another type (`found` is its name), or without the format (`found` is the text)."""
    detail = f"{in_body(path)} must be of type {expected}: {field_errors.quoted(found)}"
    return Cause(path or NOWHERE, f"Invalid value: {field_errors.quoted(found)}: {detail}", TYPE_INVALID)


def not_one_of(path: str, value: Any, supported: Sequence[Any]) -> Cause:
    """Refuse a value that is not one of a few, which are named in the schema's order."""
    texts = [each if isinstance(each, str) else field_errors.quoted(each) for each in supported]
    named = ", ".join(field_errors.quoted(each) for each in texts)
    return Cause(
        path or NOWHERE,
        f"Unsupported value: {field_errors.quoted(value)}: supported values: {named}",
        "FieldValueNotSupported",
    )


def combination(path: str, detail: str) -> Cause:
    """Refuse a value for a combination of schemas."""
    return Cause(NOWHERE, f'Invalid value: "": {field_errors.quoted(path)} {detail}')


def number_text(number: float) -> str:
    """Write a number as Go does: 1, 1.5, 1e+21."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e21:
        return str(int(number))
    return repr(number) if isinstance(number, float) else str(number)
