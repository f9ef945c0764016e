"""What Deployments and ReplicaSets have in common: a selector, a template, replicas."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.podspec.annotations import unenforced_annotations
from apiserver.core.podspec.defaults import default_template
from apiserver.core.podspec.template import validate_template
from apiserver.core.podspec.unbuilt import unbuilt_in_spec
from apiserver.core.podspec.unenforced import unenforced_in_spec
from apiserver.core.podspec.warnings import name_warnings, template_warnings
from apiserver.core.rules import Prepare, Rules, ScaleMapping, WriteContext, with_old_status
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Cause

POD_NAMES: Final = "Pod names and hostnames"


def default_workload(obj: Json) -> Json:
    """Fill the spec that every workload has; owns `obj`. Gives the spec."""
    own: Json = obj.setdefault("spec", {})
    obj.setdefault("status", {})
    own.setdefault("replicas", 1)
    default_template(own.setdefault("template", {}))
    return own


def unbuilt(obj: Json) -> str:
    """Return what the template asks for and Kubarium has not built."""
    return unbuilt_in_template(spec(obj).get("template") or {}, "spec.template")


def unbuilt_in_template(template: Json, path: str) -> str:
    """Return what a template of pods asks for and Kubarium has not built."""
    return unbuilt_in_spec(spec(template), f"{path}.spec")


def unenforced(obj: Json) -> tuple[str, ...]:
    """Return what the template asks for and no node enforces."""
    return unenforced_in_template(spec(obj).get("template") or {}, "spec.template")


def unenforced_in_template(template: Json, path: str) -> tuple[str, ...]:
    """Return what a template of pods asks for and no node enforces."""
    annotations = metadata(template).get("annotations") or {}
    return (
        *unenforced_annotations(annotations, f"{path}.metadata.annotations"),
        *unenforced_in_spec(spec(template), f"{path}.spec"),
    )


def warnings_of_template(new: Json, old: Json | None) -> tuple[str, ...]:
    """Return what to warn of in the template of a workload, where it is new or has changed what it wants."""
    if old is not None and metadata(new).get("generation") == metadata(old).get("generation"):
        return ()
    return template_warnings(spec(new).get("template") or {}, "spec.template")


def warnings_of_named(new: Json, old: Json | None) -> tuple[str, ...]:
    """Return the same of a workload whose pods are hosts by its name."""
    errors = [] if old is not None else names.dns_label_errors(metadata(new).get("name", ""))
    return (*name_warnings(errors, POD_NAMES), *warnings_of_template(new, old))


def as_created(obj: Json, _context: WriteContext) -> Json:
    """Drop the status of a new workload: nothing has happened yet."""
    return {**obj, "status": {}}


def selector_causes(own: Json, word: str = "deployment") -> list[Cause]:
    """Check that the selector is there, says something, and matches the template; `word` is the workload's."""
    selector = own.get("selector")
    if selector is None:
        return [field_errors.required("spec.selector")]
    found = labelselector.validate(selector, "spec.selector")
    if labelselector.is_empty(selector):
        text = f"empty selector is invalid for {word}"
        return [*found, field_errors.invalid("spec.selector", selector, text)]
    labels = (own["template"].get("metadata") or {}).get("labels") or {}
    if not found and not labelselector.matches(selector, labels):
        text = "`selector` does not match template `labels`"
        found.append(field_errors.invalid("spec.template.metadata.labels", labels, text))
    return found


def template_causes(own: Json, kind: str = "ReplicaSet") -> list[Cause]:
    """Check the template: a pod that is always restarted; `kind` is the one that messages speak of."""
    return [*validate_template(own["template"], "spec.template"), *lasting_causes(own["template"], kind)]


def lasting_causes(template: Json, kind: str) -> list[Cause]:
    """Check that the pods of a template have no end."""
    pod, path = spec(template), "spec.template.spec"
    found: list[Cause] = []
    if pod.get("restartPolicy") in {"Never", "OnFailure"}:
        found.append(field_errors.not_supported(f"{path}.restartPolicy", pod["restartPolicy"], {"Always"}))
    if "activeDeadlineSeconds" in pod:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        found.append(field_errors.forbidden(f"{path}.activeDeadlineSeconds", text))
    return found


def status_causes(status: Json, *names: str) -> list[Cause]:
    """Check that counters are none below 0."""
    return [
        cause for name in names for cause in field_errors.not_negative(f"status.{name}", status.get(name))
    ]


def at_most_causes(status: Json, names: tuple[str, ...], most: str, text: str) -> list[Cause]:
    """Check that counters of a status are not above another one of it."""
    limit = status.get(most, 0)
    return [
        field_errors.invalid(f"status.{name}", count, f"cannot be greater than {text}")
        for name in names
        if (count := status.get(name, 0)) > limit
    ]


def collision_causes(new: Json, old: Json) -> list[Cause]:
    """Check that the count of collisions only grows."""
    count, before = ((obj.get("status") or {}).get("collisionCount") for obj in (new, old))
    if before is None or (count or 0) >= before:
        return []
    return [field_errors.invalid("status.collisionCount", count or 0, "cannot be decremented")]


SCALE = ScaleMapping(
    replicas=lambda obj: int(spec(obj).get("replicas", 0)),
    current_replicas=lambda obj: int((obj.get("status") or {}).get("replicas", 0)),
    selector=lambda obj: labelselector.text(spec(obj).get("selector")),
)

RULES: Final = Rules(
    unbuilt=unbuilt,
    unenforced=unenforced,
    prepare=Prepare(create=as_created, update=with_old_status),
    warnings=warnings_of_named,
    counts_generation=True,
    scale=SCALE,
)
"""What the rules of every workload begin with."""
