"""Services: defaults and what an update keeps. The rules are in apiserver.core.service_rules.

https://kubernetes.io/docs/concepts/services-networking/service/
Cluster IPs and node ports are the allocator's (the registry), between prepare and check.
"""

from __future__ import annotations

from typing import Final

from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, metadata_fields
from apiserver.core.service_rules import (
    EXTERNAL,
    service_warnings,
    unbuilt,
    validate,
    validate_status,
    validate_update,
)
from apiserver.core.table import network as table
from apiserver.core.values import Json, kept, spec
from machinery.model import names

STORAGE_PREFIX: Final = "/registry/services/specs"
_OF_TYPES: Final = {  # what only Services of some types have
    "allocateLoadBalancerNodePorts": frozenset({"LoadBalancer"}),
    "externalTrafficPolicy": EXTERNAL,
    "loadBalancerClass": frozenset({"LoadBalancer"}),
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
    if type_ in EXTERNAL:
        service.setdefault("externalTrafficPolicy", "Cluster")
    if type_ in {"ClusterIP", *EXTERNAL}:
        service.setdefault("internalTrafficPolicy", "Cluster")
    if type_ == "LoadBalancer":
        service.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in obj["status"]["loadBalancer"].get("ingress") or []:
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")
    return obj


def with_families(obj: Json) -> Json:
    """Fill in which address family the service has: the cluster has one, IPv4; and clusterIPs from clusterIP."""
    service = spec(obj)
    if service.get("type") == "ExternalName":
        return obj
    filled = {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], **service}
    if filled.get("clusterIP") and not filled.get("clusterIPs"):
        filled["clusterIPs"] = [filled["clusterIP"]]
    return {**obj, "spec": filled}


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return with_families({**obj, "status": {"loadBalancer": {}}})


def _prepare_update(new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep what was allocated where the update is silent about it and its type still has it."""
    after, before = dict(spec(new)), spec(old)
    type_ = after.get("type")
    if type_ == "ExternalName" and before.get("type") != "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if after.get(name) == before.get(name):
                after.pop(name, None)
    elif type_ != "ExternalName":
        _keep_addresses(after, before)
    _drop_type_leftovers(after, before)
    held = {_number(port): port for port in reversed(before.get("ports") or [])}  # of equal ones the first
    after["ports"] = [
        _with_node_port(port, held.get(_number(port), {}), type_) for port in after.get("ports") or []
    ]
    if not after["ports"]:
        del after["ports"]
    return with_families(_with_own_status({**new, "spec": after}, old))


def _with_own_status(new: Json, old: Json) -> Json:
    """Keep the status, which has a path of its own, except for the ingress of what is no load balancer any more."""
    result = kept(new, old, "status")
    if spec(new).get("type") != "LoadBalancer" and result.get("status"):
        result["status"] = {**result["status"], "loadBalancer": {}}
    return result


def _drop_type_leftovers(after: Json, before: Json) -> None:
    """Drop what only the old type had, unless the update speaks of it."""
    for name, types in _OF_TYPES.items():
        if (
            before.get("type") in types
            and after.get("type") not in types
            and after.get(name) == before.get(name)
        ):
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


def _with_node_port(port: Json, same: Json, type_: str | None) -> Json:
    """Carry a port's node port over from what it was, or drop it with the type that had it."""
    if type_ in EXTERNAL:
        return (
            {**port, "nodePort": same["nodePort"]}
            if not port.get("nodePort") and same.get("nodePort")
            else port
        )
    if port.get("nodePort") and port.get("nodePort") == same.get("nodePort"):
        return {key: value for key, value in port.items() if key != "nodePort"}
    return port


def _number(port: Json) -> tuple[object, object]:
    return port.get("port"), port.get("protocol")


def _fields(obj: Json) -> dict[str, str]:
    service = spec(obj)
    return {
        **metadata_fields(obj),
        "spec.clusterIP": service.get("clusterIP", ""),
        "spec.type": service.get("type", ""),
    }


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    return service_warnings(new)


RULES: Final = Rules(
    storage_prefix=STORAGE_PREFIX,
    name_errors=names.dns_1035_label_errors,
    default=_default,
    unbuilt=unbuilt,
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    validate=Validate(create=validate, update=validate_update, status=validate_status),
    fields=_fields,
    create_on_update=True,
    deletion_returns_object=True,
    warnings=_warnings,
    table=table.SERVICES,
)
