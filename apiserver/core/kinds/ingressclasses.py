"""IngressClasses.

https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.references import domain_path_causes, local_reference_causes
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import network as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_LONGEST_CONTROLLER: Final = 250
_SCOPES: Final = frozenset({"Cluster", "Namespace"})


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    if "parameters" in own:
        own["parameters"].setdefault("scope", "Cluster")
    return obj


def _validate(obj: Json) -> list[Cause]:
    controller = spec(obj).get("controller", "")
    found: list[Cause] = []
    if len(controller.encode()) > _LONGEST_CONTROLLER:
        found.append(field_errors.too_long("spec.controller", _LONGEST_CONTROLLER))
    found += domain_path_causes(controller, "spec.controller")
    if "parameters" in spec(obj):
        found += _parameter_causes(spec(obj)["parameters"], "spec.parameters")
    return found


def _parameter_causes(parameters: Json, path: str) -> list[Cause]:
    scope, namespace = parameters["scope"], parameters.get("namespace")
    found = local_reference_causes(parameters, path)
    if scope not in _SCOPES:
        return [*found, field_errors.not_supported(f"{path}.scope", scope, _SCOPES)]
    path = f"{path}.namespace"
    if scope == "Cluster":
        text = "`parameters.scope` is set to 'Cluster'"
        return [*found, *([] if namespace is None else [field_errors.forbidden(path, text)])]
    if namespace is None:
        return [*found, field_errors.required(path, "`parameters.scope` is set to 'Namespace'")]
    return [*found, *field_errors.each_invalid(path, namespace, names.dns_label_errors(namespace))]


def _validate_update(new: Json, old: Json) -> list[Cause]:
    controllers = spec(new).get("controller", ""), spec(old).get("controller", "")
    return [*field_errors.unchanged("spec.controller", *controllers), *_validate(new)]


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
    table=table.INGRESS_CLASSES,
)
