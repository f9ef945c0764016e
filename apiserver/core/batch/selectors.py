"""The selector of a Job that has none of its own, and the labels that make its pods match it.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
NAME_LABEL: Final = "batch.kubernetes.io/job-name"


def generated_labels(job: Json, *, prefixed: bool = True) -> dict[str, str]:
    """Return the labels that tell a Job's pods from those of others: in the older form, and in the one with a prefix."""
    meta = metadata(job)
    uid, name = meta.get("uid", ""), meta.get("name", "")
    newer = {UID_LABEL: uid, NAME_LABEL: name} if prefixed else {}
    return {"controller-uid": uid, "job-name": name, **newer}


def with_selector(job: Json) -> Json:
    """Return a new Job with its selector and labels, unless it brings them along."""
    own = spec(job)
    if own.get("manualSelector"):
        return job
    template, selector = own["template"], own.get("selector") or {}
    labels = {**generated_labels(job), **(metadata(template).get("labels") or {})}
    wanted = {UID_LABEL: metadata(job).get("uid", ""), **(selector.get("matchLabels") or {})}
    changed = {
        **own,
        "selector": {**selector, "matchLabels": wanted},
        "template": {**template, "metadata": {**metadata(template), "labels": labels}},
    }
    return {**job, "spec": changed}


def generated_causes(job: Json, *, prefixed: bool) -> list[Cause]:
    """Check that a Job that has no selector of its own has the one that it is given, and its labels."""
    own = spec(job)
    if own.get("manualSelector") or own.get("selector") is None:
        return []
    expected = generated_labels(job, prefixed=prefixed)
    labels = metadata(own["template"]).get("labels") or {}
    found = [cause for key, value in expected.items() for cause in _label_causes(labels, key, value)]
    selector = own["selector"]
    if not labelselector.validate(selector, "") and not labelselector.matches(selector, expected):
        found.append(field_errors.invalid("spec.selector", selector, "`selector` not auto-generated"))
    return found


def selector_causes(own: Json) -> list[Cause]:
    """Check that the selector is there and matches the template."""
    selector, labels = own.get("selector"), metadata(own["template"]).get("labels") or {}
    if selector is None:
        found, is_match = [field_errors.required("spec.selector")], False  # no selector matches nothing
    else:
        found = labelselector.validate(selector, "spec.selector")
        is_match = bool(found) or labelselector.matches(selector, labels)
    if not is_match:
        text = "`selector` does not match template `labels`"
        found.append(field_errors.invalid("spec.template.metadata.labels", labels, text))
    return found


def _label_causes(labels: Json, key: str, value: str) -> list[Cause]:
    path, text = f"spec.template.metadata.labels[{key}]", f"must be '{value}'"
    if key not in labels:
        return [field_errors.required(path, text)]
    return [] if labels[key] == value else [field_errors.invalid(path, labels, text)]
