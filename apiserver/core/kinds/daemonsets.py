"""DaemonSets.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import field_errors, labelselector, rolling, workloads
from apiserver.core.podspec.defaults import default_template
from apiserver.core.rules import Validate, WriteContext
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

GENERATION: Final = "deprecated.daemonset.template.generation"
_STRATEGIES: Final = ["RollingUpdate", "OnDelete"]
_COUNTERS: Final = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_OTHER_COUNTERS: Final = (
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    for name in _COUNTERS:
        status.setdefault(name, 0)
    default_template(own.setdefault("template", {}))
    strategy = own.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        update = strategy.setdefault("rollingUpdate", {})
        update.setdefault("maxUnavailable", 1)
        update.setdefault("maxSurge", 0)
    own.setdefault("revisionHistoryLimit", 10)
    return obj


def _generation(obj: Json) -> int:
    """Return the generation of the template, which stands in an annotation; 0 where that is no number."""
    text = (metadata(obj).get("annotations") or {}).get(GENERATION, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _with_generation(obj: Json, generation: int) -> Json:
    meta = metadata(obj)
    annotations = {**(meta.get("annotations") or {}), GENERATION: str(generation)}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return _with_generation({**obj, "status": dict.fromkeys(_COUNTERS, 0)}, max(1, _generation(obj)))


def _prepare_update(new: Json, old: Json, context: WriteContext) -> Json:
    changed = spec(new).get("template") != spec(old).get("template")
    kept = workloads.RULES.prepare.update(new, old, context)
    return _with_generation(kept, _generation(old) + changed)


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    return [
        *_selector_causes(own),
        *workloads.template_causes(own, "DaemonSet"),
        *field_errors.not_negative("spec.minReadySeconds", own.get("minReadySeconds")),
        *_strategy_causes(own["updateStrategy"]),
        *field_errors.not_negative("spec.revisionHistoryLimit", own["revisionHistoryLimit"]),
    ]


def _selector_causes(own: Json) -> list[Cause]:
    """Check the selector; one that is not there selects nothing, so not the template."""
    selector, labels = own.get("selector"), metadata(own["template"]).get("labels") or {}
    found = [] if selector is None else labelselector.validate(selector, "spec.selector")
    if not found and (selector is None or not labelselector.matches(selector, labels)):
        text = "`selector` does not match template `labels`"
        found.append(field_errors.invalid("spec.template.metadata.labels", labels, text))
    if selector is not None and labelselector.is_empty(selector):
        text = "empty selector is invalid for daemonset"
        found.append(field_errors.invalid("spec.selector", selector, text))
    return found


def _strategy_causes(strategy: Json) -> list[Cause]:
    path = "spec.updateStrategy"
    if strategy["type"] not in _STRATEGIES:
        return [field_errors.not_supported(path, strategy, _STRATEGIES)]
    if strategy["type"] == "OnDelete":
        return []
    return _rolling_causes(strategy["rollingUpdate"], f"{path}.rollingUpdate")


def _rolling_causes(update: Json, path: str) -> list[Cause]:
    unavailable, surge = update["maxUnavailable"], update["maxSurge"]
    found = rolling.share_causes(f"{path}.maxUnavailable", unavailable)
    found += rolling.share_causes(f"{path}.maxSurge", surge)
    if found:
        return found
    if rolling.amount(unavailable) and rolling.amount(surge):
        text = "may not be set when maxUnavailable is non-zero"
        return [field_errors.invalid(f"{path}.maxSurge", surge, text)]
    if not rolling.amount(unavailable) and not rolling.amount(surge):
        return [field_errors.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")]
    return []


def _validate_update(new: Json, old: Json) -> list[Cause]:
    selectors = spec(new).get("selector"), spec(old).get("selector")
    return [*_validate(new), *field_errors.unchanged("spec.selector", *selectors)]


def _validate_status(new: Json, old: Json) -> list[Cause]:
    status = new.get("status") or {}
    return [
        *workloads.status_causes(status, *_COUNTERS, *_OTHER_COUNTERS),
        *workloads.collision_causes(new, old),
    ]


RULES: Final = replace(
    workloads.RULES,
    default=_default,
    prepare=replace(workloads.RULES.prepare, create=_prepare_create, update=_prepare_update),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    warnings=workloads.warnings_of_template,
    scale=None,
    table=table.DAEMON_SETS,
)
