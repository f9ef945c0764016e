"""The rules of requests and limits.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names, quantity
from machinery.model.errors import Cause

_STANDARD: Final = frozenset({"cpu", "ephemeral-storage", "memory"})
_HUGE_PAGES: Final = "hugepages-"
_WHOLE: Final = frozenset({"pods"})
_RESIZED: Final = frozenset({"cpu", "memory"})
_RESIZE_POLICIES: Final = frozenset({"NotRequired", "RestartContainer"})


def resource_causes(resources: Json, path: str) -> list[Cause]:
    """Check names and amounts, and that no request exceeds its limit."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: list[Cause] = []
    for name, amount in limits.items():
        found += _named_amount_causes(name, amount, f"{path}.limits[{name}]")
    for name, amount in requests.items():
        found += _named_amount_causes(name, amount, f"{path}.requests[{name}]")
        found += _against_limit(name, amount, limits, path)
    return found + _huge_page_causes({*limits, *requests}, path)


def _named_amount_causes(name: str, amount: str, path: str) -> list[Cause]:
    found = [*resource_name_causes(name, path), *amount_causes(name, amount, path)]
    return found + (_huge_page_amount_causes(name, amount, path) if name.startswith(_HUGE_PAGES) else [])


def resize_causes(policies: list[Json], spec: Json, path: str) -> list[Cause]:
    """Check what a container says of being resized: each resource once."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, each in enumerate(policies):
        resource, policy = each.get("resourceName", ""), each.get("restartPolicy", "")
        found += [field_errors.duplicate(f"{path}[{index}]", resource)] if resource in seen else []
        seen.add(resource)
        for value, supported in ((resource, _RESIZED), (policy, _RESIZE_POLICIES)):
            found += field_errors.one_of(path, value, supported) if value else [field_errors.required(path)]
        if spec.get("restartPolicy") == "Never" and policy != "NotRequired":
            text = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            found.append(field_errors.invalid(path, policy, text))
    return found


def amount_causes(name: str, amount: str, path: str) -> list[Cause]:
    """Check how much there is of a resource, or is asked for: pods and what nodes are extended by are whole."""
    value = quantity.parse(amount)
    found: list[Cause] = []
    if value < 0:
        found.append(field_errors.invalid(path, amount, "must be greater than or equal to 0"))
    if (not is_native(name) or name in _WHOLE) and value.denominator != 1:
        found.append(field_errors.invalid(path, amount, "must be an integer"))
    return found


def _huge_page_amount_causes(name: str, amount: str, path: str) -> list[Cause]:
    """Check that an amount of huge pages is pages."""
    try:
        page = quantity.parse(name.removeprefix(_HUGE_PAGES))
    except ValueError:
        page = Fraction(0)
    if page > 0 and (quantity.parse(amount) / page).denominator == 1:
        return []
    return [field_errors.invalid(path, amount, f"{amount} is not positive integer multiple of {name}")]


def resource_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of what containers may have amounts of."""
    if errors := names.label_key_errors(name):
        return field_errors.each_invalid(path, name, errors)
    if "/" not in name:
        if name in _STANDARD or name.startswith(_HUGE_PAGES):
            return []
        return [field_errors.invalid(path, name, "must be a standard resource for containers")]
    if not is_native(name) and name.startswith("requests."):
        return [field_errors.invalid(path, name, "doesn't follow extended resource name standard")]
    return []


def _against_limit(name: str, amount: str, limits: Json, path: str) -> list[Cause]:
    overcommits = is_native(name) and not name.startswith(_HUGE_PAGES)
    if name not in limits:
        text = "Limit must be set for non overcommitable resources"
        return [] if overcommits else [field_errors.required(f"{path}.limits", text)]
    asked, limit = quantity.parse(amount), quantity.parse(limits[name])
    if asked != limit and not overcommits:
        text = f"must be equal to {name} limit of {limits[name]}"
        return [field_errors.invalid(f"{path}.requests", amount, text)]
    if asked > limit:
        text = f"must be less than or equal to {name} limit of {limits[name]}"
        return [field_errors.invalid(f"{path}.requests", amount, text)]
    return []


def _huge_page_causes(names_: set[str], path: str) -> list[Cause]:
    if any(name.startswith(_HUGE_PAGES) for name in names_) and not {"cpu", "memory"} & names_:
        return [field_errors.forbidden(path, "HugePages require cpu or memory")]
    return []


def is_native(name: str) -> bool:
    """Whether a resource is Kubernetes' own, not one that somebody extended nodes by."""
    return "/" not in name or "kubernetes.io/" in name
