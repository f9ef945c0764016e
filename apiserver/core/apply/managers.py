"""metadata.managedFields: who owns which fields of an object, and how that is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from apiserver.core.apply import field_set
from apiserver.core.apply.field_set import FieldSet
from apiserver.core.values import Json

APPLY: Final = "Apply"
UPDATE: Final = "Update"
FIELDS_TYPE: Final = "FieldsV1"
LONGEST_NAME: Final = 128  # characters
_LONGEST_REMEMBERED: Final = 256  # characters of a user agent
MOST_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"
UNKNOWN: Final = "unknown"


class Manager(NamedTuple):
    """Whose entry it is. One applier has one entry, whatever version it applied last; an updater has one a version."""

    operation: str
    name: str
    subresource: str = ""
    api_version: str = ""  # "" of an applier


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns."""

    fields: FieldSet  # ordered
    api_version: str  # the version of the kind that the fields are of
    time: str = ""  # metav1.Time
    written: Json | None = None  # the entry as it is stored already

    def with_fields(self, fields: FieldSet) -> Entry:
        """Return the entry with these fields: itself where it has them."""
        return self if fields is self.fields else Entry(fields, self.api_version, self.time)


Managed: TypeAlias = dict[Manager, Entry]


def applier(name: str, subresource: str = "") -> Manager:
    """Return who applies."""
    return Manager(APPLY, name or UNKNOWN, subresource)


def updater(name: str, api_version: str, subresource: str = "") -> Manager:
    """Return who writes by other means."""
    return Manager(UPDATE, name or UNKNOWN, subresource, api_version)


def manager_name(field_manager: str, user_agent: str) -> str:
    """Return the name under which a request writes: its fieldManager, or what its user agent begins with.

    A user agent's name is cut to 128 bytes and loses what cannot be printed.
    """
    if field_manager:
        return field_manager
    return _short_agent(user_agent) if len(user_agent) <= _LONGEST_REMEMBERED else _agent(user_agent)


def _agent(user_agent: str) -> str:
    name, room = "", LONGEST_NAME
    for sign in user_agent.partition("/")[0]:
        room -= len(sign.encode(errors="replace")) if sign.isprintable() else 0
        if room < 0:
            break
        name += sign if sign.isprintable() else ""
    return name


_short_agent = lru_cache(maxsize=128)(_agent)


def stored(entries: Iterable[Json]) -> Managed:
    """Read the entries of an object in the store, which were written by `write`.

    Raises:
        ValueError: they were not: an entry lacks what each has.
    """
    return dict(map(_stored, entries))


def _stored(raw: Json) -> tuple[Manager, Entry]:
    manager, version = _manager(raw)
    fields = raw.get("fieldsV1") or {}
    return manager, Entry(fields, version, raw.get("time") or "", raw)


def given(entries: Iterable[Any]) -> Managed:
    """Read the entries that a client sent, with their fields in canonical form.

    Raises:
        ValueError: there is something wrong with one of them; the message says with which.
    """
    result: Managed = {}
    for index, raw in enumerate(entries):
        if not isinstance(raw, dict):
            raise ValueError(f"entry {index} is no object")  # noqa: TRY004 - of a client
        try:
            manager, version = _manager(raw)
            fields = field_set.read(raw.get("fieldsV1"))
        except ValueError as error:
            raise ValueError(f"entry {index}: {error}") from error
        result[manager] = Entry(fields, version, str(raw.get("time") or ""))
    return result


def _manager(raw: Json) -> tuple[Manager, str]:
    operation, version = raw.get("operation"), raw.get("apiVersion")
    name, subresource = raw.get("manager") or "", raw.get("subresource") or ""
    if operation not in (APPLY, UPDATE):  # a client's may be a list, which no set takes
        raise ValueError("operation must be `Apply` or `Update`")
    if not version:
        raise ValueError("apiVersion must not be empty")
    if raw.get("fieldsType") != FIELDS_TYPE:
        raise ValueError(f"fieldsType must be {FIELDS_TYPE}")
    if not all(isinstance(each, str) for each in (version, name, subresource)):
        raise ValueError("manager, apiVersion and subresource have to be strings")
    return Manager(operation, name, subresource, "" if operation == APPLY else version), version


def is_reset(entries: Any) -> bool:
    """Whether a client asks to forget all managers: by an empty list, or one with an empty entry."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def write(managed: Managed) -> list[Json]:
    """Return the entries as an object has them: appliers first, each by age, then by name."""
    return [_written(manager, entry) for manager, entry in sorted(managed.items(), key=_rank)]


def in_order(entries: list[Json]) -> list[Json]:
    """Return entries as `write` has them."""
    return entries if len(entries) < 2 else sorted(entries, key=_raw_rank)


def _raw_rank(raw: Json) -> tuple[str, ...]:
    return (
        raw["operation"],
        raw.get("time") or "",
        raw.get("manager") or "",
        raw["apiVersion"],
        raw.get("subresource") or "",
    )


def _rank(item: tuple[Manager, Entry]) -> tuple[str, ...]:
    manager, entry = item
    return manager.operation, entry.time, manager.name, entry.api_version, manager.subresource


def _written(manager: Manager, entry: Entry) -> Json:
    if entry.written is not None:
        return entry.written
    raw: Json = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": FIELDS_TYPE,
        "fieldsV1": entry.fields,
        "subresource": manager.subresource,
    }
    return {name: item for name, item in raw.items() if item or name == "fieldsV1"}


def capped(managed: Managed) -> Managed:
    """Return the managers with at most ten updaters: the oldest of a version become one, `ancient-changes`."""
    updaters = [each for each in managed if each.operation == UPDATE]
    excess = len(updaters) - MOST_UPDATERS
    if excess <= 0:
        return managed
    result, first_of_version = dict(managed), dict[str, Manager]()
    for manager in sorted(updaters, key=lambda each: (managed[each].time, each)):
        version = managed[manager].api_version
        if version not in first_of_version:
            first_of_version[version] = manager
        elif excess > 0:
            _join(result, first_of_version[version], manager)
            excess -= 1
        if excess <= 0:
            break
    return result


def _join(managed: Managed, first: Manager, manager: Manager) -> None:
    """Put a manager's fields, and those of the first of its version, into the one of ancient changes."""
    entry = managed.pop(manager)
    bucket = updater(ANCIENT, entry.api_version)
    before = managed.get(bucket) or managed.pop(first, None)
    fields = field_set.union(before.fields, entry.fields) if before else entry.fields
    managed[bucket] = Entry(fields, entry.api_version, entry.time)
