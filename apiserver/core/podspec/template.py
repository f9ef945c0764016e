"""Pod templates: a pod's metadata and spec, inside another object."""

from __future__ import annotations

from apiserver.core import field_errors, metadata
from apiserver.core.podspec.annotations import annotation_causes
from apiserver.core.podspec.spec import validate_spec
from apiserver.core.values import Json
from machinery.model.errors import Cause


def validate_template(template: Json, path: str) -> list[Cause]:
    """Find what is wrong with a pod template, which has its defaults."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    found = metadata.validate_labels(meta.get("labels") or {}, f"{path}.labels")
    found += metadata.validate_annotations(meta.get("annotations") or {}, f"{path}.annotations")
    found += annotation_causes(meta.get("annotations") or {}, spec, f"{path}.annotations")
    found += validate_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        found.append(field_errors.forbidden(f"{path}.spec.ephemeralContainers", text))
    return found
