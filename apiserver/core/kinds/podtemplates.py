"""PodTemplates: templates of pods that are objects of their own.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-template-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import workloads
from apiserver.core.podspec.defaults import default_template
from apiserver.core.podspec.template import validate_template
from apiserver.core.podspec.warnings import template_warnings
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import workloads as table
from apiserver.core.values import Json
from machinery.model.errors import Cause


def _default(obj: Json) -> Json:
    default_template(obj.setdefault("template", {}))
    return obj


def _validate(obj: Json) -> list[Cause]:
    return validate_template(obj["template"], "template")


def _template_changed(new: Json, old: Json) -> bool:
    return bool(new.get("template") != old.get("template"))


RULES: Final = Rules(
    default=_default,
    unbuilt=lambda obj: workloads.unbuilt_in_template(obj.get("template") or {}, "template"),
    unenforced=lambda obj: workloads.unenforced_in_template(obj.get("template") or {}, "template"),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    warnings=lambda new, _old: template_warnings(new.get("template") or {}, "template"),
    counts_generation=True,
    is_next_generation=_template_changed,
    create_on_update=True,
    deletion_returns_object=True,
    table=table.POD_TEMPLATES,
)
