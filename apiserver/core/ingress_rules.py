"""The rules of Ingresses: hosts, paths, and what is behind them.

https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.references import local_reference_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_PATH_TYPES: Final = frozenset({"Exact", "ImplementationSpecific", "Prefix"})
_NOT_IN_PATHS: Final = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END: Final = ("/..", "/.")


def ingress_causes(own: Json, path: str) -> list[Cause]:
    """Find what is wrong with the spec of an Ingress."""
    rules = own.get("rules")
    found: list[Cause] = []
    if not rules and "defaultBackend" not in own:
        text = "either `defaultBackend` or `rules` must be specified"
        found.append(field_errors.invalid(path, rules, text))
    if "defaultBackend" in own:
        found += _backend_causes(own["defaultBackend"], f"{path}.defaultBackend")
    for index, rule in enumerate(rules or []):
        found += _rule_causes(rule, f"{path}.rules[{index}]")
    for index, tls in enumerate(own.get("tls") or []):
        found += _tls_causes(tls, f"{path}.tls[{index}]")
    if "ingressClassName" in own:
        name = own["ingressClassName"]
        found += field_errors.each_invalid(f"{path}.ingressClassName", name, names.dns_subdomain_errors(name))
    return found


def balancer_causes(status: Json, path: str) -> list[Cause]:
    """Find what is wrong with the addresses that an Ingress is reached at."""
    found: list[Cause] = []
    for index, ingress in enumerate(status.get("ingress") or []):
        where = f"{path}.ingress[{index}]"
        if address := ingress.get("ip"):
            found += ports.address_causes(f"{where}.ip", address)
        if name := ingress.get("hostname"):
            found += field_errors.each_invalid(f"{where}.hostname", name, names.dns_subdomain_errors(name))
            if ports.is_address(name):
                text = "must be a DNS name, not an IP address"
                found.append(field_errors.invalid(f"{where}.hostname", name, text))
    return found


def _host_causes(host: str, path: str) -> list[Cause]:
    errors = names.wildcard_errors(host) if "*" in host else names.dns_subdomain_errors(host)
    return field_errors.each_invalid(path, host, errors)


def _rule_causes(rule: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    if host := rule.get("host"):
        if ports.is_address(host):
            text = "must be a DNS name, not an IP address"
            found.append(field_errors.invalid(f"{path}.host", host, text))
        found += _host_causes(host, f"{path}.host")
    if "http" not in rule:
        return found
    paths = rule["http"].get("paths") or []
    if not paths:
        found.append(field_errors.required(f"{path}.http.paths"))
    for index, each in enumerate(paths):
        found += _path_causes(each, f"{path}.http.paths[{index}]")
    return found


def _path_causes(entry: Json, path: str) -> list[Cause]:
    type_, place = entry.get("pathType"), entry.get("path", "")
    if type_ is None:
        return [field_errors.required(f"{path}.pathType", "pathType must be specified")]
    found = field_errors.one_of(f"{path}.pathType", type_, _PATH_TYPES)
    if type_ in {"Exact", "Prefix"}:
        found += _plain_path_causes(place, f"{path}.path")
    elif not found and place and not place.startswith("/"):
        found.append(field_errors.invalid(f"{path}.path", place, "must be an absolute path"))
    return [*found, *_backend_causes(entry.get("backend") or {}, f"{path}.backend")]


def _plain_path_causes(place: str, path: str) -> list[Cause]:
    texts = [] if place.startswith("/") else ["must be an absolute path"]
    texts += [f"must not contain '{part}'" for part in _NOT_IN_PATHS if part in place]
    texts += [f"cannot end with '{part}'" for part in _NOT_AT_THE_END if place.endswith(part)]
    return field_errors.each_invalid(path, place, texts)


def _backend_causes(backend: Json, path: str) -> list[Cause]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [field_errors.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return local_reference_causes(resource, f"{path}.resource")
    if service is None:
        return [field_errors.invalid(path, "", "resource or service backend is required")]
    return [*_service_name_causes(service, f"{path}.service.name"), *_service_port_causes(service, path)]


def _service_name_causes(service: Json, path: str) -> list[Cause]:
    name = service.get("name", "")
    if not name:
        return [field_errors.required(path)]
    return field_errors.each_invalid(path, name, names.dns_label_errors(name))


def _service_port_causes(service: Json, path: str) -> list[Cause]:
    port = service.get("port") or {}
    name, number = port.get("name", ""), port.get("number", 0)
    if name and number:
        return [field_errors.invalid(path, "", "cannot set both port name & port number")]
    if name:
        return ports.target_causes(f"{path}.service.port.name", name)
    if number:
        return ports.port_causes(f"{path}.service.port.number", number)
    return [field_errors.required(path, "port name or number is required")]


def _tls_causes(tls: Json, path: str) -> list[Cause]:
    found = [
        cause
        for index, host in enumerate(tls.get("hosts") or [])
        for cause in _host_causes(host, f"{path}.hosts[{index}]")
    ]
    if name := tls.get("secretName"):
        found += field_errors.each_invalid(f"{path}.secretName", name, names.dns_subdomain_errors(name))
    return found
