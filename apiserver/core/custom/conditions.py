"""The conditions of a definition: Established, NamesAccepted, NonStructuralSchema, Terminating."""

from __future__ import annotations

from apiserver.core.values import Json


def is_condition_true(definition: Json, kind: str) -> bool:
    """Whether a condition of a definition is true."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def set_condition(
    conditions: list[Json], kind: str, status: str, reason: str, message: str, now: str
) -> None:
    """Set a condition in place; its time of transition stays where its status does."""
    made = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    for index, each in enumerate(conditions):
        if each.get("type") == kind:
            if each.get("status") == status and "lastTransitionTime" in each:
                made["lastTransitionTime"] = each["lastTransitionTime"]
            conditions[index] = {**each, **made}
            return
    conditions.append(made)


def with_condition(definition: Json, kind: str, *, status: bool, reason: str, message: str, now: str) -> Json:
    """Return a definition with a condition in its status."""
    given = definition.get("status") or {}
    conditions = list(given.get("conditions") or ())
    set_condition(conditions, kind, str(status), reason, message, now)
    return {**definition, "status": {**given, "conditions": conditions}}
