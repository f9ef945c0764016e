"""DeviceClasses: devices by what they have in common.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#deviceclass
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.devices import MOST_CONFIGS, config_causes, list_causes, selector_causes
from apiserver.core.podspec.resources import is_native
from apiserver.core.rules import Rules, Validate
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause


def _default(obj: Json) -> Json:
    obj.setdefault("spec", {})
    return obj


def _validate(obj: Json) -> list[Cause]:
    return _validate_update(obj, {})


def _validate_update(new: Json, old: Json) -> list[Cause]:
    """Check a class; selectors and configuration that were taken once are taken again."""
    own, before = spec(new), spec(old)
    found: list[Cause] = []
    if own.get("selectors") != before.get("selectors"):
        found += selector_causes(own.get("selectors") or [], "spec.selectors")
    if own.get("config") != before.get("config"):
        found += list_causes(own.get("config") or [], "spec.config", MOST_CONFIGS, config_causes)
    if "extendedResourceName" in own and not _is_extended(own["extendedResourceName"]):
        name, text = own["extendedResourceName"], "must be a valid extended resource name"
        found.append(field_errors.invalid("spec.extendedResourceName", name, text))
    return found


def _is_extended(name: str) -> bool:
    is_own = is_native(name) or name.startswith("requests.")
    return not is_own and not names.label_key_errors(f"requests.{name}")


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
)
