"""What a pod asks for as a whole (`spec.resources`): its defaults, which follow from its containers, and its rules.

https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/, KEP-2837.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.resources import resource_causes
from apiserver.core.values import Json
from machinery.model import quantity
from machinery.model.amounts import Amounts
from machinery.model.errors import Cause
from machinery.model.pod_totals import (
    HUGE_PAGES,
    POD_LEVEL,
    Side,
    all_limited,
    container_amounts,
    is_pod_level,
    of_containers,
)

_SUPPORTED: Final = POD_LEVEL | {HUGE_PAGES}


def default_pod_resources(spec: Json) -> None:
    """Fill what is left out of a pod's own resources, where it has some; the requests of its containers are filled.

    Requests follow from the containers' where the pod has limits, else from these limits. Limits follow from the
    containers' where the pod has requests only and each container is limited; those of huge pages in any case.
    """
    own = spec.get("resources") or {}
    limits, requests = dict(own.get("limits") or {}), dict(own.get("requests") or {})
    if not limits and not requests:
        return
    limited = _texts(of_containers(spec, "limits"))
    pages = {
        name: text for name, text in limited.items() if name.startswith(HUGE_PAGES) and name not in requests
    }
    if limits or pages:
        asked = _texts(of_containers(spec, "requests"))
        given = {name: text for name, text in limits.items() if is_pod_level(name)}
        requests = pages | given | _only_basic(asked) | requests
    if not limits:
        limits = {name: text for name, text in _only_basic(limited).items() if all_limited(spec, name)}
    own |= {field: found for field, found in (("limits", pages | limits), ("requests", requests)) if found}


def _texts(amounts: Amounts) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _only_basic(listed: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in listed.items() if name in POD_LEVEL}


def pod_resource_causes(spec: Json, path: str) -> list[Cause]:
    """Check a pod's own resources: which they are, how much, and that its containers' fit into them."""
    own, where = spec.get("resources"), f"{path}.resources"
    if own is None:
        return []
    found: list[Cause] = []
    if own.get("claims"):
        text = "claims cannot be set for Resources at pod-level"
        found.append(field_errors.forbidden(f"{where}.claims", text))
    if (spec.get("os") or {}).get("name") == "windows":
        found.append(field_errors.forbidden(where, "may not be set for a windows pod"))
    found += [
        field_errors.not_supported(f"{where}.{field}[{name}]", name, _SUPPORTED)
        for field in ("limits", "requests")
        for name in own.get(field) or {}
        if not is_pod_level(name)
    ]
    return [*found, *resource_causes(own, where), *_request_causes(spec, where), *_limit_causes(spec, where)]


def _request_causes(spec: Json, path: str) -> Iterator[Cause]:
    whole = _own(spec, "requests")
    for name, amount in of_containers(spec, "requests").items():
        if name in whole and amount.value > quantity.parse(whole[name]):
            text = f"must be greater than or equal to aggregate container requests of {amount}"
            yield field_errors.invalid(f"{path}.requests[{name}]", whole[name], text)


def _limit_causes(spec: Json, path: str) -> Iterator[Cause]:
    whole = _own(spec, "limits")
    for index, container in enumerate(spec.get("containers") or ()):
        for name, amount in container_amounts(container, "limits").items():
            if name in whole and amount.value > quantity.parse(whole[name]):
                where = f"{path}.containers[{index}][{name}].limits"
                text = f"must be less than or equal to pod limits of {whole[name]}"
                yield field_errors.invalid(where, str(amount), text)


def _own(spec: Json, side: Side) -> Json:
    listed: Json = spec["resources"].get(side) or {}
    return {name: text for name, text in listed.items() if is_pod_level(name)}
