"""DeviceStatusAccess: who writes the status of a ResourceClaim needs permission for each part of it that changes, too.

https://kubernetes.io/docs/concepts/security/hardening-guide/dynamic-resource-allocation/
Kubernetes checks it where it stores claims (DRAResourceClaimGranularStatusAuthorization), and has no plugin by this name.

    allocation, reservedFor   update or patch of resourceclaims/binding, in all namespaces
    devices                   of resourceclaims/driver, named as the driver: `arbitrary-node:update`, or, for the
                              ServiceAccount of a pod on the node that the claim is allocated for, `associated-node:update`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.admission.attributes import Attributes, Demand, Permission, Plugin
from apiserver.core.values import Json
from machinery.model.k8s import served

_CLAIMS: Final = (served.RESOURCE_CLAIMS.group, served.RESOURCE_CLAIMS.plural)
_ACCOUNT: Final = "system:serviceaccount:"
_NODE: Final = "authentication.kubernetes.io/node-name"
_KEY: Final = ("driver", "pool", "device", "shareID")


def _demands(attributes: Attributes, obj: Json, old: Json | None) -> Iterator[Demand]:
    if attributes.subresource != "status" or old is None:
        return
    new, before = obj.get("status") or {}, old.get("status") or {}
    if any((new.get(name) or None) != (before.get(name) or None) for name in ("allocation", "reservedFor")):
        yield _of_binding(attributes.verb)
    if drivers := _changed_drivers(new.get("devices") or [], before.get("devices") or []):
        verbs = _verbs(attributes, new.get("allocation") or {})
        for driver in sorted(drivers):
            yield _of_driver(attributes, driver, verbs)


def _of_binding(verb: str) -> Demand:
    group, plural = _CLAIMS
    text = f'changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="{verb}" permission'
    return Demand((Permission(verb, group, plural, "binding"),), text, "status")


def _of_driver(attributes: Attributes, driver: str, verbs: list[str]) -> Demand:
    group, plural = _CLAIMS
    text = f'changing status.devices requires resource="resourceclaims/driver", verb="[{" ".join(verbs)}]" permission'
    each = (Permission(verb, group, plural, "driver", attributes.namespace, driver) for verb in verbs)
    return Demand(tuple(each), text, "status.devices")


def _verbs(attributes: Attributes, allocation: Json) -> list[str]:
    """Return the verbs of which one is enough."""
    node = _allocated_node(allocation)
    is_there = (
        node
        and attributes.user.name.startswith(_ACCOUNT)
        and tuple(attributes.user.extra.get(_NODE, ())) == (node,)
    )
    prefixes = ("associated-node", "arbitrary-node") if is_there else ("arbitrary-node",)
    return [f"{prefix}:{attributes.verb}" for prefix in prefixes]


def _allocated_node(allocation: Json) -> str:
    """Return the only node on which a claim's devices can be used; "" where that is not said so."""
    terms = (allocation.get("nodeSelector") or {}).get("nodeSelectorTerms") or []
    if len(terms) != 1 or terms[0].get("matchExpressions") or len(terms[0].get("matchFields") or []) != 1:
        return ""
    [field] = terms[0]["matchFields"]
    values = field.get("values") or []
    is_name = (field.get("key"), field.get("operator"), len(values)) == ("metadata.name", "In", 1)
    return str(values[0]) if is_name else ""


def _changed_drivers(new: list[Json], old: list[Json]) -> set[str]:
    """Return the drivers of devices whose statuses were added, removed or changed."""
    after, before = _by_device(new), _by_device(old)
    return {str(key[0]) for key in after.keys() | before.keys() if after.get(key) != before.get(key)}


def _by_device(statuses: list[Json]) -> dict[tuple[str, ...], Json]:
    return {tuple(str(each.get(name) or "") for name in _KEY): each for each in statuses}


DEVICE_STATUS_ACCESS: Final = Plugin("DeviceStatusAccess", frozenset({_CLAIMS}), demands=_demands)
