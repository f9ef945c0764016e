"""What a Service has to look like.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Final

from apiserver.core import field_errors, metadata, ports
from apiserver.core.service_families import address_change_causes, family_causes, is_headless
from apiserver.core.values import Json, spec
from apiserver.core.values import metadata as metadata_of
from machinery.model import names
from machinery.model.errors import Cause

EXTERNAL: Final = frozenset({"LoadBalancer", "NodePort"})
_TYPES: Final = frozenset({"ClusterIP", "ExternalName", *EXTERNAL})
_POLICIES: Final = frozenset({"Cluster", "Local"})
_DISTRIBUTIONS: Final = ["PreferClose", "PreferSameZone", "PreferSameNode"]
_IP_MODES: Final = frozenset({"Proxy", "VIP"})
_LONGEST_AFFINITY_S: Final = 86400
_NOT_EXTERNAL_NAME: Final = "may not be set for ExternalName services"
_ONLY_BALANCERS: Final = "may only be used when `type` is 'LoadBalancer'"
_OLD_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_HINTS: Final = "service.kubernetes.io/topology-mode"
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"


def is_externally_accessible(service: Json) -> bool:
    """Whether a Service, by its spec, is reached at other addresses than its own."""
    type_ = service.get("type")
    return type_ in EXTERNAL or (type_ == "ClusterIP" and bool(service.get("externalIPs")))


def needs_health_check(service: Json) -> bool:
    """Whether load balancers have to ask which nodes have endpoints of a Service."""
    return service.get("type") == "LoadBalancer" and service.get("externalTrafficPolicy") == "Local"


def validate(families: Sequence[str], obj: Json, old: Json | None = None) -> list[Cause]:
    """Find what is wrong with a service of a cluster with addresses of these families."""
    service = spec(obj)
    return [
        *_hint_causes(obj),
        *_type_causes(service),
        *_port_list_causes(service),
        *metadata.validate_labels(service.get("selector") or {}, "spec.selector"),
        *_affinity_causes(service),
        *family_causes(service, spec(old or {}), families),
        *_external_address_causes(service),
        *field_errors.one_of("spec.type", service.get("type", ""), _TYPES),
        *_repeated_port_causes(service),
        *_source_range_causes(obj, spec(old or {}).get("loadBalancerSourceRanges") or ()),
        *_balancer_causes(service),
        *_policy_causes(service),
        *_distribution_causes(service),
    ]


def validate_update(families: Sequence[str], new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with a changed service: its address, once given, stays."""
    after, before = spec(new), spec(old)
    found = address_change_causes(after, before)
    if after.get("type") == before.get("type") == "LoadBalancer":
        class_ = after.get("loadBalancerClass")
        if class_ != before.get("loadBalancerClass"):
            found.append(field_errors.invalid("spec.loadBalancerClass", class_, "may not change once set"))
    if needs_health_check(after) and needs_health_check(before):
        name = "healthCheckNodePort"
        if after.get(name) != before.get(name):
            found.append(field_errors.forbidden(f"spec.{name}", "field is immutable"))
    return [*found, *validate(families, new, old)]


def validate_status(new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with the status that is written to a service."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    path = "status.loadBalancer.ingress"
    if ingress and spec(old).get("type") != "LoadBalancer":
        return [field_errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    return [
        cause for index, each in enumerate(ingress) for cause in _ingress_causes(each, f"{path}[{index}]")
    ]


def _hint_causes(obj: Json) -> list[Cause]:
    found = metadata_of(obj).get("annotations") or {}
    if _HINTS not in found or found.get(_OLD_HINTS, found[_HINTS]) == found[_HINTS]:
        return []
    text = f"must match annotations[{_OLD_HINTS}] when both are specified"
    return [field_errors.invalid(f"metadata.annotations[{_HINTS}]", found[_HINTS], text)]


def _port_list_causes(service: Json) -> list[Cause]:
    own = service.get("ports") or []
    found: list[Cause] = []
    names_seen: set[str] = set()
    for index, port in enumerate(own):
        path = f"spec.ports[{index}]"
        found += _port_causes(port, path, named=len(own) > 1)
        if name := port.get("name"):
            found += [field_errors.duplicate(f"{path}.name", name)] if name in names_seen else []
            names_seen.add(name)
    return found


def _repeated_port_causes(service: Json) -> list[Cause]:
    """Check which node ports there are, and that neither they nor ports are there twice."""
    own = service.get("ports") or []
    useless: list[Cause] = []
    node_ports: list[Cause] = []
    numbers: list[Cause] = []
    seen: set[tuple[str, int, str]] = set()
    for index, port in enumerate(own):
        path, protocol, number = f"spec.ports[{index}]", port.get("protocol", ""), port.get("nodePort")
        if number:
            if service.get("type") == "ClusterIP":
                text = "may not be used when `type` is 'ClusterIP'"
                useless.append(field_errors.forbidden(f"{path}.nodePort", text))
            key = ("nodePort", number, protocol)
            node_ports += [field_errors.duplicate(f"{path}.nodePort", number)] if key in seen else []
            seen.add(key)
        key = ("port", port.get("port", 0), protocol)
        numbers += [field_errors.duplicate(path, _key(port))] if key in seen else []
        seen.add(key)
    return [*useless, *node_ports, *numbers]


def _key(port: Json) -> Json:
    return {name: port[name] for name in ("name", "protocol", "port", "targetPort") if name in port}


def _port_causes(port: Json, path: str, *, named: bool) -> list[Cause]:
    found: list[Cause] = []
    name = port.get("name", "")
    if not name and named:
        found.append(field_errors.required(f"{path}.name"))
    elif name:
        found += field_errors.each_invalid(f"{path}.name", name, names.dns_label_errors(name))
    number, target = port.get("port", 0), port.get("targetPort")
    found += ports.port_causes(f"{path}.port", number)
    found += ports.protocol_causes(f"{path}.protocol", port.get("protocol"))
    if target is not None:
        found += ports.target_causes(f"{path}.targetPort", target)
    if app := port.get("appProtocol"):
        found += field_errors.each_invalid(f"{path}.appProtocol", app, names.label_key_errors(app))
    return found


def _type_causes(service: Json) -> list[Cause]:
    type_ = service.get("type", "")
    found: list[Cause] = []
    if not service.get("ports") and not is_headless(service) and type_ != "ExternalName":
        found.append(field_errors.required("spec.ports"))
    if type_ in EXTERNAL and is_headless(service):
        text = f"may not be set to 'None' for {type_} services"
        found.append(field_errors.invalid("spec.clusterIPs[0]", "None", text))
    if type_ != "ExternalName":
        return found
    if service.get("clusterIPs") or service.get("clusterIP"):
        found.append(field_errors.forbidden("spec.clusterIPs", _NOT_EXTERNAL_NAME))
    found += [
        field_errors.forbidden(f"spec.{name}", _NOT_EXTERNAL_NAME)
        for name in ("ipFamilies", "ipFamilyPolicy")
        if service.get(name)
    ]
    # A name may end in a dot, as fully qualified ones do.
    name = service.get("externalName", "").removesuffix(".")
    if not name:
        return [*found, field_errors.required("spec.externalName")]
    return found + field_errors.each_invalid("spec.externalName", name, names.dns_subdomain_errors(name))


def _affinity_causes(service: Json) -> list[Cause]:
    affinity, config = service.get("sessionAffinity", ""), service.get("sessionAffinityConfig")
    found = field_errors.one_of("spec.sessionAffinity", affinity, {"ClientIP", "None"})
    if affinity == "ClientIP" and config:
        timeout = (config.get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < timeout <= _LONGEST_AFFINITY_S:
            text = f"must be greater than 0 and less than {_LONGEST_AFFINITY_S}"
            found.append(
                field_errors.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout, text)
            )
    elif affinity == "None" and config:
        text = "must not be set when session affinity is None"
        found.append(field_errors.forbidden("spec.sessionAffinityConfig", text))
    return found


def _external_address_causes(service: Json) -> list[Cause]:
    return [
        cause
        for index, address in enumerate(service.get("externalIPs") or ())
        for cause in _reachable_causes(f"spec.externalIPs[{index}]", address)
    ]


def _reachable_causes(path: str, address: str) -> list[Cause]:
    special = ports.special_address_errors(address)
    return ports.address_causes(path, address) or field_errors.each_invalid(path, address, special)


def _balancer_causes(service: Json) -> list[Cause]:
    """Check what only load balancers have."""
    if service.get("type") == "LoadBalancer":
        class_ = service.get("loadBalancerClass")
        errors = names.label_key_errors(class_) if class_ else []
        return field_errors.each_invalid("spec.loadBalancerClass", class_, errors)
    return [
        field_errors.forbidden(f"spec.{name}", _ONLY_BALANCERS)
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass")
        if name in service
    ]


def _source_range_causes(obj: Json, known: Container[str]) -> list[Cause]:
    """Check the ranges of a load balancer's clients, except for those that it had; their older form is an annotation."""
    ranges = spec(obj).get("loadBalancerSourceRanges") or []
    text = (metadata_of(obj).get("annotations") or {}).get(_SOURCE_RANGES)
    if not ranges and text is None:
        return []
    path = "spec.LoadBalancerSourceRanges" if ranges else f"metadata.annotations[{_SOURCE_RANGES}]"
    found: list[Cause] = []
    if spec(obj).get("type") != "LoadBalancer":
        found.append(field_errors.forbidden(path, _ONLY_BALANCERS))
    for index, each in enumerate(ranges):
        found += [] if each in known else ports.range_causes(f"{path}[{index}]", each.strip())
    for each in text.strip().split(",") if text and text.strip() and not ranges else ():
        found += ports.range_causes(path, each.strip())
    return found


def _ingress_causes(ingress: Json, path: str) -> list[Cause]:
    address, name, mode = ingress.get("ip"), ingress.get("hostname"), ingress.get("ipMode")
    found = ports.address_causes(f"{path}.ip", address) if address else []
    if mode is not None and not address:
        found.append(field_errors.forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None:
        found += field_errors.one_of(f"{path}.ipMode", mode, _IP_MODES)
    if name:
        found += field_errors.each_invalid(f"{path}.hostname", name, names.dns_subdomain_errors(name))
    if name and ports.is_address(name):
        found.append(field_errors.invalid(f"{path}.hostname", name, "must be a DNS name, not an IP address"))
    return found


def _policy_causes(service: Json) -> list[Cause]:
    found: list[Cause] = []
    external, internal = service.get("externalTrafficPolicy"), service.get("internalTrafficPolicy")
    if external and not is_externally_accessible(service):
        text = "may only be set for externally-accessible services"
        found.append(field_errors.invalid("spec.externalTrafficPolicy", external, text))
    elif external:
        found += field_errors.one_of("spec.externalTrafficPolicy", external, _POLICIES)
    found += _health_check_causes(service)
    if internal:
        found += field_errors.one_of("spec.internalTrafficPolicy", internal, _POLICIES)
    return found


def _health_check_causes(service: Json) -> list[Cause]:
    path, number = "spec.healthCheckNodePort", service.get("healthCheckNodePort")
    if not number:
        return [field_errors.required(path)] if needs_health_check(service) else []
    if needs_health_check(service):
        return ports.port_causes(path, number)
    text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    return [field_errors.invalid(path, number, text)]


def _distribution_causes(service: Json) -> list[Cause]:
    if "trafficDistribution" not in service:
        return []
    return field_errors.one_of("spec.trafficDistribution", service["trafficDistribution"], _DISTRIBUTIONS)


def service_warnings(obj: Json) -> tuple[str, ...]:
    """Return what to warn of in a service: what is not heeded or has had its time, addresses that are written oddly."""
    service, found = spec(obj), []
    type_, external = service.get("type"), service.get("externalIPs") or ()
    is_headless_ = is_headless(service) and type_ == "ClusterIP"
    if _OLD_HINTS in (metadata_of(obj).get("annotations") or {}):
        found.append(f"annotation {_OLD_HINTS} is deprecated, please use {_HINTS} instead")
    if not is_headless(service):
        found += _address_warnings(service.get("clusterIPs") or (), "spec.clusterIPs")
    if is_headless_:
        found += _ignored_without_address(service)
    found += _address_warnings(external, "spec.externalIPs")
    if external and not is_headless_ and type_ != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    found += ports.address_warnings(service.get("loadBalancerIP") or "", "spec.loadBalancerIP")
    for index, range_ in enumerate(service.get("loadBalancerSourceRanges") or ()):
        found += ports.range_warnings(range_, f"spec.loadBalancerSourceRanges[{index}]")
    if type_ == "ExternalName" and external:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if type_ != "ExternalName" and service.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if service.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return tuple(found)


def _address_warnings(addresses: Iterable[str], path: str) -> list[str]:
    return [
        warning
        for index, address in enumerate(addresses)
        for warning in ports.address_warnings(address, f"{path}[{index}]")
    ]


def _ignored_without_address(service: Json) -> list[str]:
    said = (
        ("loadBalancerIP", service.get("loadBalancerIP")),
        ("externalIPs", service.get("externalIPs")),
        ("SessionAffinity", service.get("sessionAffinity") != "None"),
    )
    return [f"spec.{name} is ignored for headless services" for name, is_said in said if is_said]
