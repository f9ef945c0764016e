"""Names of resources that limits and quotas are about: which there are, and which are counted in whole numbers.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.resources import is_native
from machinery.model import names, quantity
from machinery.model.errors import Cause

_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
OBJECTS: Final = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
        "services.nodeports",
    }
)
"""Objects that are counted under a name of their own; others are count/<resource>.<group>."""

QUOTA: Final = OBJECTS | {
    *_COMPUTE,
    *(f"requests.{name}" for name in (*_COMPUTE, "storage")),
    *(f"limits.{name}" for name in _COMPUTE),
}
"""What a quota may bound without naming a domain."""

_HUGE_PAGES: Final = ("hugepages-", "requests.hugepages-")


def is_quota_name(name: str) -> bool:
    """Whether a quota knows a name that has no domain."""
    return name in QUOTA or name.startswith(_HUGE_PAGES)


def name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of a resource of any sort."""
    if errors := names.label_key_errors(name):
        return field_errors.each_invalid(path, name, errors)
    if "/" in name or is_quota_name(name) or name == "storage":
        return []
    text = "must be a standard resource type or fully qualified"
    return [field_errors.invalid(path, name, text)]


def quota_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of what a quota bounds."""
    found = name_causes(name, path)
    if "/" not in name and not is_quota_name(name):
        found.append(field_errors.invalid(path, name, "must be a standard resource for quota"))
    return found


def quota_amount_causes(name: str, amount: str, path: str) -> list[Cause]:
    """Check how much of it there may be."""
    value = quantity.parse(amount)
    found = []
    if value < 0:
        found.append(field_errors.invalid(path, amount, "must be greater than or equal to 0"))
    if _is_whole(name) and value.denominator != 1:
        found.append(field_errors.invalid(path, amount, "must be an integer"))
    return found


def _is_whole(name: str) -> bool:
    return name in OBJECTS or not (is_native(name) or name.startswith("requests."))
