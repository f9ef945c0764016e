"""Tables of objects that are refused, with every word that is said: read, and tried on the write path.

A table is a text. A heading says the kind and what is done; each case is the kind's example (tests.support.served_kinds)
with some fields set, one a line, in JSON, and below them, indented, all that is said of it:

    # Job, created
    spec.parallelism: -1
        spec.parallelism: Invalid value: -1: must be greater than or equal to 0

`created` is of a new object; `changed` of an update of the one that is stored, `status` of a write of its status, any other
word of a write to the subresource of that name. `given` before a field sets it in the stored object. null takes a field
away; a key that is no name stands in brackets, as JSON: `metadata.labels["a/b"]`. Sentences that are long and common are
called by a name in angle brackets, as `SENTENCES` has them, and ⏎ ends a line within a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from apiserver import schemas
from apiserver.core import field_errors, writes
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from machinery.model.errors import Cause, Invalid
from tests.support.pod_specs import CONTEXT
from tests.support.served_kinds import KINDS, created, example

TABLES: Final = sorted((Path(__file__).parents[1] / "unit/apiserver/kinds/refusals").glob("*.txt"))

SENTENCES: Final = {
    "<label>": "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    "<subdomain>": "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    "<RFC 1035 label>": "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    "<name part>": "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    "<qualified name>": "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    "<label value>": "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    "<IP>": "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    "<CIDR>": "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
    "<not negative>": "must be greater than or equal to 0",
    "<immutable>": "field is immutable",
}  # fmt: skip

REASONS: Final = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Not found": "FieldValueNotFound",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Internal error": "InternalError",
}
"""The reason of a cause, by how its message begins."""

_STEP: Final = re.compile(r'\.?([^.\[\]]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')
_FIELD: Final = re.compile(r'((?:[^\s:\["]|\[\d+\]|\["(?:[^"\\]|\\.)*"\])+): (.*)')


class Refusal(NamedTuple):
    """One case of a table."""

    kind: str
    action: str  # "created", "changed", "status", or the name of a subresource
    given: tuple[tuple[str, Any], ...]  # what is set in the stored object
    changes: tuple[tuple[str, Any], ...]
    causes: tuple[str, ...]  # "field: message" of each


def read_table(text: str) -> Iterator[Refusal]:
    """Read the cases of a table."""
    kind = action = ""
    given: list[tuple[str, Any]] = []
    changes: list[tuple[str, Any]] = []
    causes: list[str] = []
    for line in [*text.splitlines(), "# ,"]:
        if not line.strip():
            continue
        if line.startswith(" "):
            causes.append(_spelled_out(line.strip()))
            continue
        if causes:
            yield Refusal(kind, action, tuple(given), tuple(changes), tuple(causes))
            given, changes, causes = [], [], []
        if line.startswith("# "):
            kind, _, action = line.removeprefix("# ").partition(", ")
        elif line.startswith("given "):
            given.append(_field(line.removeprefix("given ")))
        else:
            changes.append(_field(line))


def _field(line: str) -> tuple[str, Any]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise ValueError(f"this is no field with its value: {line}")
    return found[1], msgspec.json.decode(found[2])


def _spelled_out(text: str) -> str:
    for short, sentence in SENTENCES.items():
        text = text.replace(short, sentence)
    return text.replace("⏎", "\n")


def with_fields(obj: Json, fields: tuple[tuple[str, Any], ...]) -> Json:
    """Return an object with some fields set; None takes one away."""
    changed = msgspec.json.decode(msgspec.json.encode(obj))  # no part of it is there twice
    for path, value in fields:
        inner: Any = changed
        *holders, last = _steps(path)
        for step in holders:
            inner = inner[step] if isinstance(step, int) else inner.setdefault(step, {})
        if value is None:
            inner.pop(last)
        elif isinstance(last, int) and last == len(inner):
            inner.append(value)
        else:
            inner[last] = value
    return changed


def _steps(path: str) -> list[str | int]:
    return [
        int(found[2]) if found[2] else msgspec.json.decode(found[3]) if found[3] else found[1]
        for found in _STEP.finditer(path)
    ]


def stored(refusal: Refusal) -> Json:
    """Return the object that is there before a change."""
    return with_fields(created(example(KINDS[refusal.kind])), refusal.given)


def sent(refusal: Refusal) -> Json:
    """Return the object that is sent."""
    base = example(KINDS[refusal.kind]) if refusal.action == "created" else stored(refusal)
    return with_fields(base, refusal.changes)


def refused(refusal: Refusal) -> list[Cause]:
    """Return what the write path says of a case: it reads, defaults, prepares and validates; [] where it stores."""
    kind = KINDS[refusal.kind]
    try:
        obj = writes.read(schemas.load(), kind, sent(refusal), namespace="default").obj
        if refusal.action == "created":
            writes.create(kind, obj, CONTEXT)
        else:
            _written(kind, refusal.action, obj, stored(refusal))
    except Invalid as error:
        return list(error.causes)
    return []


def _written(kind: Kind, action: str, obj: Json, old: Json) -> None:
    if action == "changed":
        writes.update(kind, obj, old, CONTEXT)
    elif action == "status":
        writes.update_status(kind, obj, old, CONTEXT)
    else:
        part = kind.rules.parts[action]
        if causes := part.validate(part.prepare(obj, old, CONTEXT), old):
            raise field_errors.invalid_object(kind.group_kind, "x", causes)


def difference(refusal: Refusal) -> str:
    """Return how what is said of a case differs from its table; "" where it does not."""
    found = refused(refusal)
    told = [f"{cause.field}: {cause.message}" for cause in found]
    misnamed = [each for each in found if REASONS.get(each.message.split(":")[0]) != each.reason]
    if told == list(refusal.causes) and not misnamed:
        return ""
    what = ", ".join(f"{path}: {value!r}" for path, value in (*refusal.given, *refusal.changes))
    lines = [f"{refusal.kind}, {refusal.action} with {what}", *(f"  - {each}" for each in refusal.causes)]
    return "\n".join([*lines, *(f"  + {each}" for each in told), *(f"  reason {each}" for each in misnamed)])
