"""Endpoints: the older form of EndpointSlices.

https://kubernetes.io/docs/concepts/services-networking/service/#endpoints
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import network as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.endpoint_subsets import repack
from machinery.model.errors import Cause

DEPRECATED: Final = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
STORAGE_PREFIX: Final = "/registry/services/endpoints"


def _default(obj: Json) -> Json:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")
            if not port.get("name"):
                port.pop("name", None)  # of EndpointSlices it is kept
    return obj


def _validate(obj: Json) -> list[Cause]:
    found: list[Cause] = []
    for index, subset in enumerate(obj.get("subsets") or []):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            text = "must specify `addresses` or `notReadyAddresses`"
            found.append(field_errors.required(path, text))
        for field in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(field) or []):
                found += _address_causes(address, f"{path}.{field}[{number}]")
        own_ports = subset.get("ports") or []
        for number, port in enumerate(own_ports):
            found += _port_causes(port, f"{path}.ports[{number}]", needs_name=len(own_ports) > 1)
    return found


def _address_causes(address: Json, path: str) -> list[Cause]:
    ip = address.get("ip", "")
    found = ports.address_causes(f"{path}.ip", ip)
    if hostname := address.get("hostname"):
        errors = names.dns_label_errors(hostname)
        found += field_errors.each_invalid(f"{path}.hostname", hostname, errors)
    if "nodeName" in address:
        node = address["nodeName"]
        found += field_errors.each_invalid(f"{path}.nodeName", node, names.dns_subdomain_errors(node))
    return found + field_errors.each_invalid(f"{path}.ip", ip, ports.special_address_errors(ip))


def _port_causes(port: Json, path: str, *, needs_name: bool) -> list[Cause]:
    name = port.get("name", "")
    found = [field_errors.required(f"{path}.name")] if needs_name and not name else []
    if name:
        found += field_errors.each_invalid(f"{path}.name", name, names.dns_label_errors(name))
    found += ports.port_causes(f"{path}.port", port.get("port", 0))
    found += ports.protocol_causes(f"{path}.protocol", port["protocol"])
    if app := port.get("appProtocol"):
        found += field_errors.each_invalid(f"{path}.appProtocol", app, names.label_key_errors(app))
    return found


def _canonical(obj: Json) -> Json:
    return {**obj, "subsets": repack(obj["subsets"])} if obj.get("subsets") else obj


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    return tuple(
        warning
        for index, subset in enumerate(new.get("subsets") or ())
        for field in ("addresses", "notReadyAddresses")
        for number, address in enumerate(subset.get(field) or ())
        for warning in ports.address_warnings(address.get("ip", ""), f"subsets[{index}].{field}[{number}].ip")
    )


RULES: Final = Rules(
    default=_default,
    unenforced=lambda _obj: (DEPRECATED,),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    canonical=_canonical,
    create_on_update=True,
    storage_prefix=STORAGE_PREFIX,
    warnings=_warnings,
    table=table.ENDPOINTS,
)
