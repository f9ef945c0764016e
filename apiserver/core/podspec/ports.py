"""The rules of a container's ports."""

from __future__ import annotations

from apiserver.core import field_errors, ports
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause


def port_list_causes(own: list[Json], path: str) -> list[Cause]:
    """Check the ports of one container: their names are unique."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(own):
        where, name = f"{path}[{index}]", port.get("name", "")
        if name:
            found += _name_causes(name, f"{where}.name", seen)
        found += _number_causes(port, where)
        found += ports.protocol_causes(f"{where}.protocol", port.get("protocol"))
        if address := port.get("hostIP"):
            found += ports.address_causes(f"{where}.hostIP", address)
    return found


def _name_causes(name: str, path: str, seen: set[str]) -> list[Cause]:
    if errors := names.port_name_errors(name):
        return field_errors.each_invalid(path, name, errors)
    if name in seen:
        return [field_errors.duplicate(path, name)]
    seen.add(name)
    return []


def _number_causes(port: Json, path: str) -> list[Cause]:
    number, on_host = port.get("containerPort", 0), port.get("hostPort", 0)
    found = ports.port_causes(f"{path}.containerPort", number) if number else []
    if not number:
        found.append(field_errors.required(f"{path}.containerPort"))
    return found + (ports.port_causes(f"{path}.hostPort", on_host) if on_host else [])


def host_port_conflicts(containers: list[Json], path: str, *, first: int = 0) -> list[Cause]:
    """Find ports of the node that two of the containers want; `first` is the index of the first one."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, container in enumerate(containers, start=first):
        for number, port in enumerate(container.get("ports") or []):
            if not port.get("hostPort"):
                continue
            place = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if place in seen:
                found.append(field_errors.duplicate(f"{path}[{index}].ports[{number}].hostPort", place))
            seen.add(place)
    return found
