"""What may change in a Job: how many pods work at once, when it gives up, whether it is suspended.

While it is suspended and none of its pods is there, also where its pods may run and what they request:
https://kubernetes.io/docs/concepts/workloads/controllers/job/#mutable-scheduling-directives and KEP-5440.
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.batch.job_spec import INDEXED
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_FIXED: Final = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_PLACING: Final = ("nodeSelector", "tolerations", "schedulingGates")


def job_update_causes(new: Json, old: Json) -> list[Cause]:
    """Find what a change of a Job changes that has to stay."""
    own, before = spec(new), spec(old)
    return [
        *_completion_causes(own, before),
        *field_errors.unchanged("spec.selector", own.get("selector"), before.get("selector")),
        *_template_causes(own, before, is_idle=_is_idle(old)),
        *(
            cause
            for name in _FIXED
            for cause in field_errors.unchanged(f"spec.{name}", own.get(name), before.get(name))
        ),
    ]


def _is_idle(job: Json) -> bool:
    return bool(spec(job).get("suspend")) and not (job.get("status") or {}).get("active")


def _completion_causes(own: Json, before: Json) -> list[Cause]:
    completions = own.get("completions")
    if own.get("completionMode") != INDEXED:
        return field_errors.unchanged("spec.completions", completions, before.get("completions"))
    if completions in {None, before.get("completions"), own.get("parallelism")}:
        return []
    text = "can only be modified in tandem with spec.parallelism"
    return [field_errors.invalid("spec.completions", completions, text)]


def _template_causes(own: Json, before: Json, *, is_idle: bool) -> list[Cause]:
    new, old = own["template"], before.get("template") or {}
    if not is_idle:
        return field_errors.unchanged("spec.template", new, old)
    pod = spec(new)
    return field_errors.unchanged("spec.template.spec", pod, _with_changes_allowed(spec(old), pod))


def _with_changes_allowed(old: Json, new: Json) -> Json:
    """Return the old spec of the pods with what may change in it as it is in the new one."""
    changed = {name: value for name, value in old.items() if name not in _PLACING}
    changed.update((name, new[name]) for name in _PLACING if name in new)
    affinity = _affinity(old, new)
    changed.pop("affinity", None)
    if affinity is not None:
        changed["affinity"] = affinity
    for field in ("containers", "initContainers"):
        if field in old:
            changed[field] = _with_resources(old[field], new.get(field) or [])
    return changed


def _affinity(old: Json, new: Json) -> Json | None:
    """Return the old affinity with the node affinity of the new one; None: there is none."""
    rest = {name: part for name, part in (old.get("affinity") or {}).items() if name != "nodeAffinity"}
    if "affinity" not in new:
        return rest or None
    node = new["affinity"].get("nodeAffinity")
    return {**rest, "nodeAffinity": node} if node is not None else rest


def _with_resources(old: list[Json], new: list[Json]) -> list[Json]:
    if len(old) != len(new):
        return old
    return [
        {**{key: value for key, value in before.items() if key != "resources"}, **_resources(after)}
        if before.get("name") == after.get("name")
        else before
        for before, after in zip(old, new, strict=True)
    ]


def _resources(container: Json) -> Json:
    return {"resources": container["resources"]} if "resources" in container else {}
