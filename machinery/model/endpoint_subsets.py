"""Endpoints as they are stored: every address once for the ports that it has, in subsets of an order of their own.

Two Endpoints that say the same are stored alike, so that whoever writes them can compare. The order is Kubernetes': of
addresses by text and by uid, of ports and subsets by the MD5 of how Go's `spew` prints them, and so that is printed here.
https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoints-v1/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from machinery.model.json_objects import Json

_Key: TypeAlias = tuple[str, str]  # an address: its text, and the uid of what it belongs to
_Ready: TypeAlias = dict[_Key, bool]

_PORT: Final = (
    ("Name", "name", "string"),
    ("Protocol", "protocol", "core.Protocol"),
    ("Port", "port", "int32"),
    ("AppProtocol", "appProtocol", "*string"),
)
_ADDRESS: Final = (
    ("IP", "ip", "string"),
    ("Hostname", "hostname", "string"),
    ("NodeName", "nodeName", "*string"),
    ("TargetRef", "targetRef", "*core.ObjectReference"),
)
_REFERENCE: Final = (
    ("Kind", "kind", "string"),
    ("Namespace", "namespace", "string"),
    ("Name", "name", "string"),
    ("UID", "uid", "types.UID"),
    ("APIVersion", "apiVersion", "string"),
    ("ResourceVersion", "resourceVersion", "string"),
    ("FieldPath", "fieldPath", "string"),
)


def repack(subsets: list[Json]) -> list[Json]:
    """Return subsets that say the same: addresses that have all of their ports in common stand together.

    An address that is not ready for a port anywhere is not ready for it.
    """
    addresses: dict[_Key, Json] = {}
    ports: dict[str, Json] = {}
    ready_at: dict[str, _Ready] = {}  # by port
    for subset in subsets:
        for port in subset.get("ports") or [{}]:
            name = _printed(port, _PORT)
            ports[name] = port
            for field, is_ready in (("addresses", True), ("notReadyAddresses", False)):
                for address in subset.get(field) or ():
                    key = _key(address)
                    addresses.setdefault(key, address)
                    known = ready_at.setdefault(name, {})
                    known[key] = known.get(key, True) and is_ready
    together: dict[tuple[tuple[_Key, bool], ...], list[Json]] = {}
    for name, known in ready_at.items():
        own = together.setdefault(tuple(sorted(known.items())), [])
        own += [ports[name]] if ports[name] else []
    found = [_subset(dict(known), own, addresses) for known, own in together.items()]
    return sorted(found, key=lambda subset: _hash(_printed_subset(subset))) if len(found) > 1 else found


def _key(address: Json) -> _Key:
    return address.get("ip", ""), (address.get("targetRef") or {}).get("uid", "")


def _subset(known: _Ready, ports: list[Json], addresses: dict[_Key, Json]) -> Json:
    parts = {
        "addresses": [addresses[key] for key in sorted(known) if known[key]],
        "notReadyAddresses": [addresses[key] for key in sorted(known) if not known[key]],
        "ports": sorted(ports, key=lambda port: _hash(_printed(port, _PORT))) if len(ports) > 1 else ports,
    }
    return {name: part for name, part in parts.items() if part}


def _hash(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def _printed_subset(subset: Json) -> str:
    lists = (
        ("Addresses", "EndpointAddress", subset.get("addresses"), _ADDRESS),
        ("NotReadyAddresses", "EndpointAddress", subset.get("notReadyAddresses"), _ADDRESS),
        ("Ports", "EndpointPort", subset.get("ports"), _PORT),
    )
    fields = [
        f"{name}:([]core.{type_}){_list([_fields(each, parts) for each in items or ()])}"
        for name, type_, items, parts in lists
    ]
    return f"(core.EndpointSubset){{{' '.join(fields)}}}"


def _list(printed: list[str]) -> str:
    return f"[{' '.join(printed)}]" if printed else "<nil>"


def _printed(port: Json, parts: Iterable[tuple[str, str, str]]) -> str:
    return f"(core.EndpointPort){_fields(port, parts)}"


def _fields(value: Json, parts: Iterable[tuple[str, str, str]]) -> str:
    return (
        "{" + " ".join(f"{name}:({type_}){_value(value.get(key), type_)}" for name, key, type_ in parts) + "}"
    )


def _value(value: Any, type_: str) -> str:
    if value is None and type_.startswith("*"):
        return "<nil>"
    if type_ == "*core.ObjectReference":
        return _fields(value, _REFERENCE)
    if type_ == "int32":
        return str(value or 0)
    return value or ""
