"""What a Service has to look like.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, metadata, ports
from apiserver.core.values import Json, spec
from apiserver.core.values import metadata as metadata_of
from machinery.model import names
from machinery.model.errors import Cause

EXTERNAL: Final = frozenset({"LoadBalancer", "NodePort"})
_TYPES: Final = frozenset({"ClusterIP", "ExternalName", *EXTERNAL})
_POLICIES: Final = frozenset({"Cluster", "Local"})
_IP_MODES: Final = frozenset({"Proxy", "VIP"})
_LONGEST_AFFINITY_S: Final = 86400
_NOT_EXTERNAL_NAME: Final = "may not be set for ExternalName services"
_ONLY_BALANCERS: Final = "may only be used when `type` is 'LoadBalancer'"
_OLD_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_HINTS: Final = "service.kubernetes.io/topology-mode"
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"


def unbuilt(obj: Json) -> str:
    """Return what a Service may ask for in Kubernetes and not here."""
    service = spec(obj)
    for name, text in (
        ("externalIPs", "spec.externalIPs is not built: no proxy would answer on those addresses"),
        (
            "trafficDistribution",
            "spec.trafficDistribution is not built: traffic goes to every ready endpoint alike",
        ),
        ("loadBalancerSourceRanges", "spec.loadBalancerSourceRanges is not built: there is no load balancer"),
        ("loadBalancerIP", "spec.loadBalancerIP is not built: there is no load balancer"),
        ("healthCheckNodePort", "spec.healthCheckNodePort is not built"),
    ):
        if service.get(name):
            return text
    for name in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if service.get(name) == "Local":
            return f"spec.{name}: Local is not built: traffic goes to every ready endpoint alike"
    if service.get("ipFamilyPolicy") == "RequireDualStack" or "IPv6" in (service.get("ipFamilies") or []):
        return "IPv6 and dual-stack services are not built: the cluster has IPv4 addresses only"
    return ""


def validate(obj: Json) -> list[Cause]:
    """Find what is wrong with a service."""
    service = spec(obj)
    return [
        *_port_list_causes(service),
        *metadata.validate_labels(service.get("selector") or {}, "spec.selector"),
        *_type_causes(service),
        *_affinity_causes(service),
        *_family_causes(service),
        *cluster_ip_causes(service),
        *_balancer_causes(service),
        *_source_range_causes(obj),
        *_policy_causes(service),
    ]


def validate_update(new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with a changed service: its address, once given, stays."""
    after, before = spec(new), spec(old)
    found: list[Cause] = []
    held = "ExternalName" not in {after.get("type"), before.get("type")} and before.get("clusterIP")
    if held and after.get("clusterIP") != before["clusterIP"]:
        text = "may not change once set"
        found.append(field_errors.invalid("spec.clusterIPs[0]", after.get("clusterIPs") or [], text))
    if after.get("type") == before.get("type") == "LoadBalancer":
        class_ = after.get("loadBalancerClass")
        if class_ != before.get("loadBalancerClass"):
            found.append(field_errors.invalid("spec.loadBalancerClass", class_, "may not change once set"))
    return [*found, *validate(new)]


def validate_status(new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with the status that is written to a service."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    path = "status.loadBalancer.ingress"
    if ingress and spec(old).get("type") != "LoadBalancer":
        return [field_errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    return [
        cause for index, each in enumerate(ingress) for cause in _ingress_causes(each, f"{path}[{index}]")
    ]


def is_headless(service: Json) -> bool:
    """Whether the spec of a service asks for no address."""
    return service.get("clusterIP") == "None"


def _port_list_causes(service: Json) -> list[Cause]:
    own = service.get("ports") or []
    found: list[Cause] = []
    if not own and not is_headless(service) and service.get("type") != "ExternalName":
        found.append(field_errors.required("spec.ports"))
    names_seen: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    node_ports: set[tuple[int, str]] = set()
    for index, port in enumerate(own):
        path = f"spec.ports[{index}]"
        found += _port_causes(port, path, named=len(own) > 1)
        if name := port.get("name"):
            found += [field_errors.duplicate(f"{path}.name", name)] if name in names_seen else []
            names_seen.add(name)
        number = (port.get("port", 0), port.get("protocol", ""))
        found += [field_errors.duplicate(path, _key(port))] if number in numbers else []
        numbers.add(number)
        found += _node_port_causes(port, path, service, node_ports)
    return found


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


def _node_port_causes(port: Json, path: str, service: Json, seen: set[tuple[int, str]]) -> list[Cause]:
    number = port.get("nodePort")
    if not number:
        return []
    if service.get("type") not in EXTERNAL:
        text = f"may not be used when `type` is '{service.get('type')}'"
        return [field_errors.forbidden(f"{path}.nodePort", text)]
    both = (number, port.get("protocol", ""))
    found = [field_errors.duplicate(f"{path}.nodePort", number)] if both in seen else []
    seen.add(both)
    return found


def _type_causes(service: Json) -> list[Cause]:
    type_ = service.get("type", "")
    found = field_errors.one_of("spec.type", type_, _TYPES)
    if type_ in EXTERNAL and is_headless(service):
        text = f"may not be set to 'None' for {type_} services"
        found.append(field_errors.invalid("spec.clusterIPs[0]", "None", text))
    if type_ != "ExternalName":
        return found
    if service.get("clusterIPs") or service.get("clusterIP"):
        found.append(field_errors.forbidden("spec.clusterIPs", _NOT_EXTERNAL_NAME))
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if service.get(name):
            found.append(field_errors.forbidden(f"spec.{name}", _NOT_EXTERNAL_NAME))
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


_MOST_CHECKED: Final = 100  # addresses: more than two are refused anyway


def cluster_ip_causes(service: Json) -> list[Cause]:
    """Check the addresses that a Service names, one by one and with each other."""
    path, addresses = "spec.clusterIPs", service.get("clusterIPs") or []
    if service.get("type") == "ExternalName" or not addresses:
        return []
    found: list[Cause] = []
    if not service.get("clusterIP"):
        found.append(field_errors.invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    elif service["clusterIP"] != addresses[0]:
        found.append(field_errors.invalid(path, addresses, "first value must match `clusterIP`"))
    if addresses[0] == "None":
        text = "'None' must be the first and only value"
        return found + ([field_errors.invalid(path, addresses, text)] if len(addresses) > 1 else [])
    wrong = [
        cause
        for index, address in enumerate(addresses[:_MOST_CHECKED])
        for cause in ports.address_causes(f"{path}[{index}]", address)
    ]
    if len(addresses) > 2:
        wrong.append(field_errors.invalid(path, addresses, "may only hold up to 2 values"))
    return found + (wrong or _stack_causes(addresses, path))


def _stack_causes(addresses: list[str], path: str) -> list[Cause]:
    """Check that addresses are of families that the cluster has, each of another one."""
    families = ["IPv6" if ports.is_address(address, "IPv6") else "IPv4" for address in addresses]
    if len(set(families)) < len(families):
        text = "may specify no more than one IP for each IP family"
        return [field_errors.invalid(path, addresses, text)]
    return [
        field_errors.invalid(f"{path}[{index}]", addresses, "IPv6 is not configured on this cluster")
        for index, family in enumerate(families)
        if family == "IPv6"
    ]


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


def _source_range_causes(obj: Json) -> list[Cause]:
    """Check the older form of spec.loadBalancerSourceRanges, an annotation."""
    text = (metadata_of(obj).get("annotations") or {}).get(_SOURCE_RANGES)
    if text is None:
        return []
    path = f"metadata.annotations[{_SOURCE_RANGES}]"
    found: list[Cause] = []
    if spec(obj).get("type") != "LoadBalancer":
        found.append(field_errors.forbidden(path, _ONLY_BALANCERS))
    for each in text.strip().split(",") if text.strip() else ():
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
    if external and service.get("type") not in EXTERNAL:
        text = "may only be set for externally-accessible services"
        found.append(field_errors.invalid("spec.externalTrafficPolicy", external, text))
    elif external:
        found += field_errors.one_of("spec.externalTrafficPolicy", external, _POLICIES)
    if internal:
        found += field_errors.one_of("spec.internalTrafficPolicy", internal, _POLICIES)
    return found


def _family_causes(service: Json) -> list[Cause]:
    if service.get("type") == "ExternalName":
        return []
    found: list[Cause] = []
    families = service.get("ipFamilies") or []
    for index, family in enumerate(families):
        found += field_errors.one_of(f"spec.ipFamilies[{index}]", family, {"IPv4", "IPv6"})
    for index in field_errors.repeated(families):
        found.append(field_errors.duplicate(f"spec.ipFamilies[{index}]", families[index]))
    if policy := service.get("ipFamilyPolicy"):
        supported = {"PreferDualStack", "RequireDualStack", "SingleStack"}
        found += field_errors.one_of("spec.ipFamilyPolicy", policy, supported)
    return found


def service_warnings(obj: Json) -> tuple[str, ...]:
    """Return what to warn of in a service: what it says and is not heeded, addresses that are written oddly."""
    service, found = spec(obj), []
    if _OLD_HINTS in (metadata_of(obj).get("annotations") or {}):
        found.append(f"annotation {_OLD_HINTS} is deprecated, please use {_HINTS} instead")
    if not is_headless(service):
        for index, address in enumerate(service.get("clusterIPs") or ()):
            found += ports.address_warnings(address, f"spec.clusterIPs[{index}]")
    elif service.get("type") == "ClusterIP" and service.get("sessionAffinity") != "None":
        found.append("spec.SessionAffinity is ignored for headless services")
    if service.get("type") != "ExternalName" and service.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return tuple(found)
