"""EndpointSlices.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext
from apiserver.core.table import network as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_TYPES: Final = frozenset({"FQDN", "IPv4", "IPv6"})
_MOST_ENDPOINTS: Final = 1000
_MOST_ADDRESSES: Final = 100
_MOST_PORTS: Final = 20_000
_MOST_HINTS: Final = 8


def _default(obj: Json) -> Json:
    obj.setdefault("endpoints", [])
    for port in obj.get("ports") or []:
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
    return obj


def _validate(obj: Json) -> list[Cause]:
    type_ = obj.get("addressType", "")
    found = field_errors.required_one_of("addressType", type_, _TYPES)
    endpoints, own_ports = obj["endpoints"], obj.get("ports") or []
    if len(endpoints) > _MOST_ENDPOINTS:
        found.append(field_errors.too_many("endpoints", len(endpoints), _MOST_ENDPOINTS))
    else:
        for index, endpoint in enumerate(endpoints):
            found += _endpoint_causes(endpoint, f"endpoints[{index}]", type_)
    if len(own_ports) > _MOST_PORTS:
        return [*found, field_errors.too_many("ports", len(own_ports), _MOST_PORTS)]
    return found + _port_causes(own_ports)


def _endpoint_causes(endpoint: Json, path: str, type_: str) -> list[Cause]:
    addresses = endpoint.get("addresses") or []
    found: list[Cause] = []
    if not addresses:
        found.append(field_errors.required(f"{path}.addresses", "must contain at least 1 address"))
    if len(addresses) > _MOST_ADDRESSES:
        found.append(field_errors.too_many(f"{path}.addresses", len(addresses), _MOST_ADDRESSES))
    for index, address in enumerate(addresses):
        found += _address_causes(address, f"{path}.addresses[{index}]", type_)
    if "nodeName" in endpoint:
        name = endpoint["nodeName"]
        found += field_errors.each_invalid(f"{path}.nodeName", name, names.dns_subdomain_errors(name))
    if "hostname" in endpoint:
        name = endpoint["hostname"]
        found += field_errors.each_invalid(f"{path}.hostname", name, names.dns_label_errors(name))
    hints = endpoint.get("hints") or {}
    for field in ("forZones", "forNodes"):
        found += _hint_causes(
            [each.get("name", "") for each in hints.get(field) or []], f"{path}.hints.{field}"
        )
    return found


def _hint_causes(names_: list[str], path: str) -> list[Cause]:
    if len(names_) > _MOST_HINTS:
        return [field_errors.too_many(path, len(names_), _MOST_HINTS)]
    again = field_errors.repeated(names_)
    found = [field_errors.duplicate(f"{path}[{index}].name", names_[index]) for index in again]
    for index, name in enumerate(names_):
        found += field_errors.each_invalid(f"{path}[{index}].name", name, names.label_value_errors(name))
    return found


def _address_causes(address: str, path: str, type_: str) -> list[Cause]:
    """Check an address of a known type: those of another one are anybody's guess."""
    if type_ == "FQDN":
        return _domain_causes(address, path)
    if type_ not in _TYPES:
        return []
    found = [] if ports.is_address(address, type_) else [f"must be an {type_} address"]
    return field_errors.each_invalid(path, address, [*found, *ports.special_address_errors(address)])


def _domain_causes(name: str, path: str) -> list[Cause]:
    """Check a fully qualified domain name, which may end in a dot."""
    if not name:
        return [field_errors.required(path)]
    name = name.removesuffix(".")
    if errors := names.dns_subdomain_errors(name):
        return [field_errors.invalid(path, name, ",".join(errors))]
    if "." not in name:
        text = "should be a domain with at least two segments separated by dots"
        return [field_errors.invalid(path, name, text)]
    faulty = next((label for label in name.split(".") if names.dns_label_errors(label)), None)
    if faulty is None:
        return []
    return [field_errors.invalid(path, faulty, ",".join(names.dns_label_errors(faulty)))]


def _port_causes(own_ports: list[Json]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(own_ports):
        path, name = f"ports[{index}]", port["name"]
        if name:
            found += field_errors.each_invalid(f"{path}.name", name, names.dns_label_errors(name))
        if name in seen:
            found.append(field_errors.duplicate(f"{path}.name", name))
        seen.add(name)
        found += ports.protocol_causes(f"{path}.protocol", port["protocol"])
        if "port" in port:
            found += ports.port_causes(f"{path}.port", port["port"])
        if app := port.get("appProtocol"):
            found += field_errors.each_invalid(f"{path}.appProtocol", app, names.label_key_errors(app))
    return found


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "generation": 1}}


def _prepare_update(new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep the type where the update does not name one: it cannot change."""
    return new if new.get("addressType") else {**new, "addressType": old.get("addressType", "")}


def _is_next_generation(new: Json, old: Json) -> bool:
    """Count everything but the metadata, and of that the labels: they name the Service."""
    labels, before = (obj["metadata"].get("labels") or {} for obj in (new, old))
    return labels != before or {**new, "metadata": None} != {**old, "metadata": None}


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [
        *_validate(new),
        *field_errors.unchanged("addressType", new.get("addressType"), old.get("addressType")),
    ]


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    return tuple(
        warning
        for index, endpoint in enumerate(new["endpoints"])
        for number, address in enumerate(endpoint.get("addresses") or ())
        for warning in ports.address_warnings(address, f"endpoints[{index}].addresses[{number}]")
    )


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
    is_next_generation=_is_next_generation,
    warnings=_warnings,
    table=table.ENDPOINT_SLICES,
)
