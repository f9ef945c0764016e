"""Services: defaults and what an update keeps. The rules are in apiserver.core.service_rules.

https://kubernetes.io/docs/concepts/services-networking/service/
Cluster IPs and node ports are the allocator's (the registry), between prepare and check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, metadata_fields
from apiserver.core.service_families import ONE_FAMILY, with_families
from apiserver.core.service_rules import (
    EXTERNAL,
    is_externally_accessible,
    needs_health_check,
    service_warnings,
    validate,
    validate_status,
    validate_update,
)
from apiserver.core.table import network as table
from apiserver.core.values import Json, kept, spec
from machinery.model import names

STORAGE_PREFIX: Final = "/registry/services/specs"


def _is_balancer(service: Json) -> bool:
    return service.get("type") == "LoadBalancer"


_HAVE: Final[Mapping[str, Callable[[Json], bool]]] = {  # what only some Services have, by their specs
    "allocateLoadBalancerNodePorts": _is_balancer,
    "externalTrafficPolicy": is_externally_accessible,
    "healthCheckNodePort": needs_health_check,
    "loadBalancerClass": _is_balancer,
}


def _default(obj: Json) -> Json:
    service = obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("loadBalancer", {})
    service.setdefault("sessionAffinity", "None")
    if service["sessionAffinity"] == "None":
        service.pop("sessionAffinityConfig", None)
    if service["sessionAffinity"] == "ClientIP":
        config = service.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", 10800)
    type_ = service.setdefault("type", "ClusterIP")
    for port in service.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort") and "port" in port:
            port["targetPort"] = port["port"]
    if is_externally_accessible(service):
        service.setdefault("externalTrafficPolicy", "Cluster")
    if type_ in {"ClusterIP", *EXTERNAL}:
        service.setdefault("internalTrafficPolicy", "Cluster")
    if type_ == "LoadBalancer":
        service.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in obj["status"]["loadBalancer"].get("ingress") or []:
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")
    return obj


def _prepare_create(families: Sequence[str], obj: Json, _context: WriteContext) -> Json:
    return {**obj, "spec": with_families(spec(obj), {}, families), "status": {"loadBalancer": {}}}


def _prepare_update(families: Sequence[str], new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep what was allocated where the update is silent about it and its type still has it."""
    after, before = dict(spec(new)), spec(old)
    if after.get("type") == "ExternalName":
        _drop_addresses(after, before)
    else:
        _keep_addresses(after, before)
    _drop_leftovers(after, before)
    _keep_node_ports(after, before)
    return _with_own_status({**new, "spec": with_families(after, before, families)}, old)


def _drop_addresses(after: Json, before: Json) -> None:
    """Drop the addresses of what has none any more, unless the update changes them."""
    if before.get("type") != "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if after.get(name) == before.get(name):
                after.pop(name, None)


def _with_own_status(new: Json, old: Json) -> Json:
    """Keep the status, which has a path of its own, except for the ingress of what is no load balancer any more."""
    result = kept(new, old, "status")
    if spec(new).get("type") != "LoadBalancer" and result.get("status"):
        result["status"] = {**result["status"], "loadBalancer": {}}
    return result


def _drop_leftovers(after: Json, before: Json) -> None:
    """Drop what the Service had and can have no more, unless the update changes it."""
    for name, can_have in _HAVE.items():
        if can_have(before) and not can_have(after) and after.get(name) == before.get(name):
            after.pop(name, None)


def _keep_addresses(after: Json, before: Json) -> None:
    """Keep the address that was given; of the two fields that name it, the one that has changed counts."""
    if not after.get("clusterIP") and before.get("clusterIP"):
        after["clusterIP"] = before["clusterIP"]
    if after.get("clusterIP") != before.get("clusterIP"):
        if after.get("clusterIPs") == before.get("clusterIPs"):
            after.pop("clusterIPs", None)
    elif not after.get("clusterIPs") and before.get("clusterIPs"):
        after["clusterIPs"] = before["clusterIPs"]
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if not after.get(name) and before.get(name):
            after[name] = before[name]


def _keep_node_ports(after: Json, before: Json) -> None:
    """Carry node ports over to the ports of the same names, or drop them all with the type that had them."""
    if not after.get("ports"):
        after.pop("ports", None)
    elif before.get("type") in EXTERNAL and after.get("type") in EXTERNAL:
        after["ports"] = _with_known_node_ports(after, before)
    elif before.get("type") in EXTERNAL and _node_ports(after) == _node_ports(before):
        after["ports"] = [
            {name: value for name, value in port.items() if name != "nodePort"} for port in after["ports"]
        ]
    name = "healthCheckNodePort"
    if needs_health_check(after) and needs_health_check(before) and not after.get(name):
        after[name] = before.get(name)


def _with_known_node_ports(after: Json, before: Json) -> list[Json]:
    known = {port.get("name", ""): port.get("nodePort") or 0 for port in before.get("ports") or []}
    used = _node_ports(after) & _node_ports(before)
    ports = []
    for port in after["ports"]:
        number = 0 if port.get("nodePort") else known.get(port.get("name", ""), 0)
        is_known = number not in {0, *used}
        ports.append({**port, "nodePort": number} if is_known else port)
        used.add(number)
    return ports


def _node_ports(service: Json) -> set[int]:
    return {port["nodePort"] for port in service.get("ports") or [] if port.get("nodePort")}


def _fields(obj: Json) -> dict[str, str]:
    service = spec(obj)
    return {
        **metadata_fields(obj),
        "spec.clusterIP": service.get("clusterIP", ""),
        "spec.type": service.get("type", ""),
    }


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    return service_warnings(new)


def rules(families: Sequence[str]) -> Rules:
    """Return the rules of a cluster with addresses of these families, its first one first."""
    return Rules(
        storage_prefix=STORAGE_PREFIX,
        name_errors=names.dns_label_errors,
        default=_default,
        prepare=Prepare(create=partial(_prepare_create, families), update=partial(_prepare_update, families)),
        validate=Validate(
            create=partial(validate, families),
            update=partial(validate_update, families),
            status=validate_status,
        ),
        fields=_fields,
        create_on_update=True,
        deletion_returns_object=True,
        warnings=_warnings,
        table=table.SERVICES,
    )


RULES: Final = rules(ONE_FAMILY)
