"""NetworkPolicies.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container
from typing import Final

from apiserver.core import field_errors, labelselector, ports
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import network as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_TYPES: Final = ["Ingress", "Egress"]
_PROTOCOLS: Final = ["TCP", "UDP", "SCTP"]
_DIRECTIONS: Final = (("ingress", "from"), ("egress", "to"))


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    own.setdefault("podSelector", {})
    if not own.get("policyTypes"):
        own["policyTypes"] = ["Ingress", "Egress"] if own.get("egress") else ["Ingress"]
    for direction, _ in _DIRECTIONS:
        for rule in own.get(direction) or []:
            for port in rule.get("ports") or []:
                port.setdefault("protocol", "TCP")
    return obj


def _validate(obj: Json, known: Container[str] = ()) -> list[Cause]:
    own = spec(obj)
    found = labelselector.validate(own["podSelector"], "spec.podSelector")
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(own.get(direction) or []):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                found += _port_causes(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or []):
                found += _peer_causes(peer, f"{path}.{peers}[{number}]", known)
    return found + _type_causes(own["policyTypes"], "spec.policyTypes")


def _type_causes(types: list[str], path: str) -> list[Cause]:
    if len(types) > len(_TYPES):
        return [field_errors.invalid(path, types, "may not specify more than two policyTypes")]
    return [
        cause
        for index, type_ in enumerate(types)
        for cause in field_errors.one_of(f"{path}[{index}]", type_, _TYPES)
    ]


def _port_causes(port: Json, path: str) -> list[Cause]:
    number, last = port.get("port"), port.get("endPort")
    found = field_errors.one_of(f"{path}.protocol", port["protocol"], _PROTOCOLS)
    if isinstance(number, int):
        found += ports.port_causes(f"{path}.port", number)
        if last is not None:
            if last < number:
                text = "must be greater than or equal to `port`"
                found.append(field_errors.invalid(f"{path}.endPort", number, text))
            found += ports.port_causes(f"{path}.endPort", last)
        return found
    if last is not None:
        word = "not specified" if number is None else "non-numeric"
        text = f"may not be specified when `port` is {word}"
        found.append(field_errors.invalid(f"{path}.endPort", last, text))
    return found + (ports.target_causes(f"{path}.port", number) if number is not None else [])


def _peer_causes(peer: Json, path: str, known: Container[str]) -> list[Cause]:
    found = [
        cause
        for name in ("podSelector", "namespaceSelector")
        if name in peer
        for cause in labelselector.validate(peer[name], f"{path}.{name}")
    ]
    if "ipBlock" in peer:
        found += _block_causes(peer["ipBlock"], f"{path}.ipBlock", known)
    if not peer:
        found.append(field_errors.required(path, "must specify a peer"))
    elif "ipBlock" in peer and len(peer) > 1:
        found.append(field_errors.forbidden(path, "may not specify both ipBlock and another peer"))
    return found


def _block_causes(block: Json, path: str, known: Container[str]) -> list[Cause]:
    whole = block.get("cidr", "")
    if not whole:
        return [field_errors.required(f"{path}.cidr")]
    if found := ports.range_causes(f"{path}.cidr", whole, known):
        return found
    for index, part in enumerate(block.get("except") or []):
        where = f"{path}.except[{index}]"
        if faults := ports.range_causes(where, part, known):
            return [*found, *faults]
        if not _is_strict_part(part, whole):
            found.append(field_errors.invalid(where, part, "must be a strict subset of `cidr`"))
    return found


def _is_strict_part(part: str, whole: str) -> bool:
    inner, outer = (ipaddress.ip_network(text, strict=False) for text in (part, whole))
    if inner.version != outer.version or inner.prefixlen <= outer.prefixlen:
        return False
    return inner.network_address in outer


def _ranges(obj: Json) -> frozenset[str]:
    """Return the ranges that a policy names."""
    blocks = (
        peer.get("ipBlock") or {}
        for direction, peers in _DIRECTIONS
        for rule in spec(obj).get(direction) or []
        for peer in rule.get(peers) or []
    )
    return frozenset(
        text for block in blocks for text in (block.get("cidr", ""), *(block.get("except") or ()))
    )


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec(new).get(direction) or []):
            for number, peer in enumerate(rule.get(peers) or []):
                path, block = (
                    f"spec.{direction}[{index}].{peers}[{number}].ipBlock",
                    peer.get("ipBlock") or {},
                )
                found += ports.range_warnings(block.get("cidr", ""), f"{path}.cidr")
                for place, part in enumerate(block.get("except") or []):
                    found += ports.range_warnings(part, f"{path}.except[{place}]")
    return found


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=lambda new, old: _validate(new, _ranges(old))),
    counts_generation=True,
    warnings=_warnings,
    table=table.NETWORK_POLICIES,
)
