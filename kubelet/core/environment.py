"""What containers find in their environment: expansion of $(NAME), and the variables that name Services.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/ and
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.names import env_name_errors

MASTER_NAMESPACE: Final = "default"
MASTER_SERVICES: Final = ("kubernetes",)  # every container is told of these
_REFERENCE: Final = re.compile(r"\$(?:\$|\(([^)]*)\)|\()")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays as it is written, $$ is one $."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1]
        return match[0] if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(texts: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    """Expand a command line."""
    return [expand(text, variables) for text in texts]


def unknown_names(text: str, variables: Mapping[str, str]) -> list[str]:
    """Return the names that a text refers to and nobody knows."""
    names = (match[1] for match in _REFERENCE.finditer(text))
    return [name for name in names if name is not None and name not in variables]


def split_names(data: Mapping[str, str], prefix: str) -> tuple[dict[str, str], list[str]]:
    """Prefix the keys of a ConfigMap or Secret; return the variables, and the keys that cannot be names."""
    good: dict[str, str] = {}
    bad: list[str] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if env_name_errors(name):
            bad.append(name)
        else:
            good[name] = value
    return good, sorted(bad)


def visible_services(services: Iterable[Service], namespace: str, *, links: bool) -> list[Service]:
    """Return the Services that a pod is told of: the master's, and with links those of its namespace."""
    chosen: dict[str, Service] = {}
    for service in services:
        name = service.metadata.name
        if service.spec.clusterIP in {"", "None"}:
            continue
        if service.metadata.namespace == MASTER_NAMESPACE and name in MASTER_SERVICES:
            chosen.setdefault(name, service)
        elif links and service.metadata.namespace == namespace:
            chosen[name] = service
    return [chosen[name] for name in sorted(chosen)]


def service_variables(services: Sequence[Service]) -> dict[str, str]:
    """Return NAME_SERVICE_HOST, NAME_SERVICE_PORT and the variables of the old Docker links."""
    variables: dict[str, str] = {}
    for service in services:
        variables.update(_variables(service))
    return variables


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    name, ip, ports = _name(service.metadata.name), service.spec.clusterIP, service.spec.ports
    if not ports:
        return
    yield f"{name}_SERVICE_HOST", ip
    yield f"{name}_SERVICE_PORT", str(ports[0].port)
    for port in ports:
        if port.name:
            yield f"{name}_SERVICE_PORT_{_name(port.name)}", str(port.port)
    yield f"{name}_PORT", _url(ip, ports[0])
    for port in ports:
        link = f"{name}_PORT_{port.port}_{_protocol(port)}"
        yield link, _url(ip, port)
        yield f"{link}_PROTO", _protocol(port).lower()
        yield f"{link}_PORT", str(port.port)
        yield f"{link}_ADDR", ip


def _protocol(port: ServicePort) -> str:
    return (port.protocol or "TCP").upper()


def _url(ip: str, port: ServicePort) -> str:
    host = f"[{ip}]" if ":" in ip else ip
    return f"{_protocol(port).lower()}://{host}:{port.port}"


def _name(text: str) -> str:
    return text.upper().replace("-", "_")
