"""Which definition has which names: the conditions NamesAccepted and Established, and NonStructuralSchema.

Names are unique in a group. Who has one keeps it; who asks for one that is taken waits until it is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from apiserver.core.custom import structure
from apiserver.core.custom.conditions import is_condition_true, set_condition
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

_EACH: Final = (("plural", "PluralConflict"), ("singular", "SingularConflict"))
_KINDS: Final = (("kind", "KindConflict"), ("listKind", "ListKindConflict"))


class Claims:
    """The names that definitions of one group have, each with its owner."""

    def __init__(self) -> None:
        self._resources: dict[str, str] = {}
        self._kinds: dict[str, str] = {}

    def claim(self, owner: str, accepted: Json) -> None:
        """Note the accepted names of a definition."""
        for name in (accepted.get("plural"), accepted.get("singular"), *(accepted.get("shortNames") or ())):
            self._resources.setdefault(name or "", owner)
        for name in (accepted.get("kind"), accepted.get("listKind")):
            self._kinds.setdefault(name or "", owner)

    def resource_is_free(self, owner: str, name: str) -> bool:
        """Whether a definition may have a name for a resource."""
        return self._resources.get(name, owner) == owner

    def kind_is_free(self, owner: str, name: str) -> bool:
        """Whether a definition may have a name for a kind."""
        return self._kinds.get(name, owner) == owner


def settle_names(definitions: Iterable[Json], now: str) -> dict[str, Json]:
    """Return the new status of each definition that changes, by its name.

    All definitions are given; who was there first has the first choice. A name that one gives up is free for
    others the next time. `now` is a metav1.Time.
    """
    ordered = sorted(definitions, key=lambda each: (metadata(each).get("creationTimestamp", ""), _name(each)))
    groups: dict[str, Claims] = {}
    for each in ordered:
        claims = groups.setdefault(spec(each).get("group", ""), Claims())
        claims.claim(_name(each), _status(each).get("acceptedNames") or {})
    changed = {}
    for each in ordered:
        claims = groups[spec(each).get("group", "")]
        status = settled_status(each, claims, now)
        claims.claim(_name(each), status["acceptedNames"])
        if status != _status(each):
            changed[_name(each)] = status
    return changed


def settled_status(definition: Json, claims: Claims, now: str) -> Json:
    """Return the status of a definition, given the names that all of its group have."""
    wanted, before = spec(definition).get("names") or {}, _status(definition).get("acceptedNames") or {}
    accepted, reason, message = _accepted(_name(definition), wanted, before, claims)
    status = {**_status(definition), "acceptedNames": accepted}
    conditions = list(status.get("conditions") or ())
    names_fine = not reason
    set_condition(
        conditions,
        "NamesAccepted",
        str(names_fine),
        reason or "NoConflicts",
        message or "no conflicts found",
        now,
    )
    was_established = is_condition_true(definition, "Established")
    if names_fine and not was_established:
        text = "the initial names have been accepted"
        set_condition(conditions, "Established", "True", "InitialNamesAccepted", text, now)
    elif not was_established:
        text = "not all names are accepted"
        set_condition(conditions, "Established", "False", "NotAccepted", text, now)
    _set_structural(definition, conditions, now)
    return {**status, "conditions": conditions}


def non_structural(definition: Json) -> tuple[str, str, str] | None:
    """Return status, reason and message of the condition NonStructuralSchema, or None: all schemas are structural."""
    found: list[Cause] = []
    for index, version in enumerate(spec(definition).get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            continue
        if why := structure.unreadable(schema):
            text = f"failed to check validation schema for version {version.get('name', '')}: {why}"
            return "Unknown", "StructuralError", text
        found += structure.violations(schema, f"spec.versions[{index}].schema.openAPIV3Schema")
    if not found:
        return None
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in found))
    return "True", "Violations", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _set_structural(definition: Json, conditions: list[Json], now: str) -> None:
    found = non_structural(definition)
    if found is None:
        conditions[:] = [each for each in conditions if each.get("type") != "NonStructuralSchema"]
    else:
        set_condition(conditions, "NonStructuralSchema", *found, now)


def _accepted(owner: str, wanted: Json, before: Json, claims: Claims) -> tuple[Json, str, str]:
    """Return the names that a definition has from now on, and why it has not all that it wants."""
    accepted, reason, message = dict(before), "", ""
    for name, told in _EACH:
        if claims.resource_is_free(owner, wanted.get(name, "")):
            accepted[name] = wanted.get(name, "")
        else:
            reason, message = told, _taken(wanted[name])
    short = wanted.get("shortNames") or []
    taken = [each for each in short if not claims.resource_is_free(owner, each)]
    if taken:
        texts = [_taken(each) for each in dict.fromkeys(taken)]
        reason, message = "ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    else:
        _keep(accepted, "shortNames", short)
    for name, told in _KINDS:
        if claims.kind_is_free(owner, wanted.get(name, "")):
            accepted[name] = wanted.get(name, "")
        else:
            reason, message = told, _taken(wanted[name])
    _keep(accepted, "categories", wanted.get("categories") or [])
    return accepted, reason, message


def _keep(accepted: Json, name: str, values: list[str]) -> None:
    accepted.pop(name, None)
    if values:
        accepted[name] = values


def _taken(name: str) -> str:
    return f'"{name}" is already in use'


def _status(definition: Json) -> Json:
    return definition.get("status") or {}


def _name(definition: Json) -> str:
    return str(metadata(definition).get("name", ""))
