"""The rules of a pod's claims of devices: those of the pod, which of them its containers use, which objects they became.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_NAME: Final = "resourceClaimName"
_TEMPLATE: Final = "resourceClaimTemplateName"


def device_claim_causes(claims: list[Json], path: str) -> list[Cause]:
    """Check the claims of a pod: each has a name that no other one has, and is a claim or made from a template."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where, name = f"{path}[{index}]", claim.get("name", "")
        if not name:
            found.append(field_errors.required(f"{where}.name"))
        elif name in seen:
            found.append(field_errors.duplicate(f"{where}.name", name))
        else:
            found += field_errors.each_invalid(f"{where}.name", name, names.dns_label_errors(name))
        seen.add(name)
        found += _source_causes(claim, where)
    return found


def _source_causes(claim: Json, path: str) -> list[Cause]:
    given = [name for name in (_NAME, _TEMPLATE) if name in claim]
    found: list[Cause] = []
    if len(given) > 1:
        text = f"at most one of `{_NAME}` or `{_TEMPLATE}` may be specified"
        found.append(field_errors.invalid(path, claim, text))
    if not given:
        text = f"must specify one of: `{_NAME}`, `{_TEMPLATE}`"
        found.append(field_errors.invalid(path, claim, text))
    for name in given:
        errors = names.dns_subdomain_errors(claim[name])
        found += field_errors.each_invalid(f"{path}.{name}", claim[name], errors)
    return found


def used_claim_causes(claims: list[Json], of_pod: list[Json], path: str) -> list[Cause]:
    """Check which of the pod's claims a container uses."""
    names_ = {each.get("name", "") for each in of_pod}
    known = sorted(name for name in names_ if not names.dns_label_errors(name))
    found: list[Cause] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where, name = f"{path}[{index}]", claim.get("name", "")
        if not name:
            found.append(field_errors.required(where))
            continue
        if name in seen:
            found.append(field_errors.duplicate(where, name))
        seen.add(name)
        if name not in known:
            listed = f": {', '.join(known)}" if known else " which is empty"
            text = f"must be one of the names in pod.spec.resourceClaims{listed}"
            found.append(field_errors.not_found(where, name, text))
    return found


def claim_status_causes(statuses: list[Json], of_pod: list[Json], path: str) -> list[Cause]:
    """Check which objects the claims of a pod have become."""
    known = {each.get("name", "") for each in of_pod}
    found: list[Cause] = []
    seen: set[str] = set()
    for index, status in enumerate(statuses):
        where, name = f"{path}[{index}]", status.get("name", "")
        if name not in known:
            text = "must match the name of an entry in `spec.resourceClaims`"
            found.append(field_errors.invalid(f"{where}.name", name, text))
        if name in seen:
            found.append(field_errors.duplicate(f"{where}.name", name))
        seen.add(name)
        if (made := status.get(_NAME)) is not None:
            found += field_errors.each_invalid(f"{where}.name", made, names.dns_subdomain_errors(made))
    return found
