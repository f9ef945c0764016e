"""What may change in a pod's spec: images, deadlines, tolerations that are added, gates that are lifted.

https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.podspec.affinity import REQUIRED
from apiserver.core.values import Json
from machinery.model.errors import Cause

_LARGEST: Final = 2**31 - 1
_MOST_NAMED: Final = 5
_CHANGEABLE: Final = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def update_causes(new: Json, old: Json) -> list[Cause]:
    """Find what a change of a pod's spec changes that has to stay."""
    for field in ("containers", "initContainers"):
        if len(new.get(field) or []) != len(old.get(field) or []):
            return [field_errors.forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    found = _deadline_causes(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    found += _toleration_causes(new.get("tolerations") or [], old.get("tolerations") or [])
    found += _gate_causes(new.get("schedulingGates") or [], old.get("schedulingGates") or [])
    kept = _with_what_may_change(new, old)
    if old.get("schedulingGates"):
        found += _selector_causes(new.get("nodeSelector") or {}, old.get("nodeSelector") or {})
        found += _node_affinity_causes(_node_affinity(new), _node_affinity(old))
        kept = _with_gated_changes(kept, old)
    if kept != old:
        found.append(field_errors.forbidden("spec", _sentence(kept, old)))
    return found


def _sentence(new: Json, old: Json) -> str:
    changed = list(_changed(new, old, "spec"))
    named = ", ".join(changed[:_MOST_NAMED]) + (", …" if len(changed) > _MOST_NAMED else "")
    return f"pod updates may not change fields other than {','.join(_CHANGEABLE)}\nchanged: {named}"


def _changed(new: Any, old: Any, path: str) -> Iterator[str]:
    """Return the fields that differ, as deep as they can be told apart."""
    if new == old:
        return
    if isinstance(new, dict) and isinstance(old, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from _changed(new.get(name), old.get(name), f"{path}.{name}")
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (after, before) in enumerate(zip(new, old, strict=True)):
            yield from _changed(after, before, f"{path}[{index}]")
    else:
        yield path


def _with_what_may_change(new: Json, old: Json) -> Json:
    """Return the new spec with the old values where any may stand: what is left over may not differ."""
    result = dict(new)
    for field in ("containers", "initContainers"):
        if field in new:
            pairs = zip(new[field], old.get(field) or [], strict=True)
            result[field] = [_with_image(after, before) for after, before in pairs]
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _take(result, old, field)
    grace_s = old.get("terminationGracePeriodSeconds", 0)
    if grace_s < 0 and new.get("terminationGracePeriodSeconds") == 1:
        _take(result, old, "terminationGracePeriodSeconds")
    return result


def _with_image(new: Json, old: Json) -> Json:
    result = dict(new)
    _take(result, old, "image")
    return result


def _take(result: Json, old: Json, field: str) -> None:
    if field in old:
        result[field] = old[field]
    else:
        result.pop(field, None)


def _deadline_causes(new_s: int | None, old_s: int | None) -> list[Cause]:
    path = "spec.activeDeadlineSeconds"
    if new_s is None:
        text = "must not update from a positive integer to nil value"
        return [] if old_s is None else [field_errors.invalid(path, None, text)]
    if not 0 <= new_s <= _LARGEST:
        return field_errors.within(path, new_s, 0, _LARGEST)
    if old_s is not None and old_s < new_s:
        return [field_errors.invalid(path, new_s, "must be less than or equal to previous value")]
    return []


def _toleration_causes(new: list[Json], old: list[Json]) -> list[Cause]:
    after = {_untimed(toleration) for toleration in new}
    if all(_untimed(toleration) in after for toleration in old):
        return []
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [field_errors.forbidden("spec.tolerations", text)]


def _untimed(toleration: Json) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in toleration.items() if name != "tolerationSeconds")


def _gate_causes(new: list[Json], old: list[Json]) -> list[Cause]:
    known = {gate.get("name") for gate in old}
    return [
        field_errors.forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _selector_causes(new: Json, old: Json) -> list[Cause]:
    text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    if all(new.get(key) == value for key, value in old.items()):
        return []
    return [field_errors.invalid("spec.nodeSelector", new, text)]


def _node_affinity(spec: Json) -> Json:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def _node_affinity_causes(new: Json, old: Json) -> list[Cause]:
    """Check that a gated pod's required node affinity has only become narrower."""
    before = (old.get(REQUIRED) or {}).get("nodeSelectorTerms") or []
    after = (new.get(REQUIRED) or {}).get("nodeSelectorTerms") or []
    path = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    if not before:
        return []
    if len(after) != len(before):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [field_errors.invalid(path, after, text)]
    text = "only additions are allowed (no mutations or deletions)"
    return [
        field_errors.invalid(f"{path}[{index}]", term, text)
        for index, (term, was) in enumerate(zip(after, before, strict=True))
        if not _extends(term, was)
    ]


def _extends(new: Json, old: Json) -> bool:
    if not old:
        return not new  # an empty term matches nothing: with requirements it would match something
    return all(
        (new.get(field) or [])[: len(old.get(field) or [])] == (old.get(field) or [])
        for field in ("matchExpressions", "matchFields")
    )


def _with_gated_changes(new: Json, old: Json) -> Json:
    """Return the new spec with the old nodeSelector and node affinity, which a gated pod may narrow."""
    result = dict(new)
    _take(result, old, "nodeSelector")
    affinity = dict(new.get("affinity") or {})
    _take(affinity, old.get("affinity") or {}, "nodeAffinity")
    if affinity or "affinity" in old:
        result["affinity"] = affinity
    else:
        result.pop("affinity", None)
    return result
