"""Which addresses, of which families, a Service may name, and which families it gets.

https://kubernetes.io/docs/concepts/services-networking/dual-stack/
`families` are those that the cluster has ranges of, its first one first. With one of them no Service has two addresses:
who requires two is refused, who prefers two gets one. A headless Service without a selector may name both families
anyway: its endpoints are its owner's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.values import Json
from machinery.model.endpoints import HEADLESS, IPV4, IPV6
from machinery.model.errors import Cause

ONE_FAMILY: Final = (IPV4,)  # of a cluster that is told of nothing else
_FAMILIES: Final = frozenset({IPV4, IPV6})
_SINGLE: Final = "SingleStack"
_PREFER: Final = "PreferDualStack"
_REQUIRE: Final = "RequireDualStack"
_POLICIES: Final = frozenset({_SINGLE, _PREFER, _REQUIRE})
_CLUSTER_IPS: Final = "spec.clusterIPs"
_POLICY: Final = "spec.ipFamilyPolicy"
_FAMILY_LIST: Final = "spec.ipFamilies"
_MOST_CHECKED: Final = 100  # addresses: more than two are refused anyway
_MOST: Final = 2
_ONCE_SET: Final = "may not change once set"


def is_headless(service: Json) -> bool:
    """Whether the spec of a service asks for no address."""
    return service.get("clusterIP") == HEADLESS


def with_families(service: Json, before: Json, families: Sequence[str] = ONE_FAMILY) -> Json:
    """Fill in a spec's families, and clusterIPs from clusterIP; `before` is the spec that is stored, empty for none."""
    if service.get("type") == "ExternalName" or _still_prefers(service, before):
        return service
    filled = dict(service)
    if filled.get("clusterIP") and not filled.get("clusterIPs"):
        filled["clusterIPs"] = [filled["clusterIP"]]
    is_free = is_headless(filled) and not filled.get("selector")
    policy = (
        filled.get("ipFamilyPolicy") or before.get("ipFamilyPolicy") or (_REQUIRE if is_free else _SINGLE)
    )
    filled["ipFamilyPolicy"] = policy
    if policy == _SINGLE:
        _release_second(filled, before)
    named = [*(filled.get("ipFamilies") or ())]
    if 0 < len(named) < len(before.get("ipFamilies") or []):
        return {**filled, "ipFamilies": named}
    named += _families_of(filled, families)[len(named) :]
    has_two = is_free or len(families) == _MOST
    if has_two and policy != _SINGLE and len(named) == 1:
        named.append(IPV4 if named[0] == IPV6 else IPV6)
    return {**filled, "ipFamilies": named}


def _still_prefers(service: Json, before: Json) -> bool:
    """Whether a Service that prefers two families is as it was: then it follows no change of the cluster."""
    names = ("type", "ipFamilyPolicy", "clusterIPs", "ipFamilies")
    is_same = all(service.get(name) == before.get(name) for name in names)
    return is_same and service.get("ipFamilyPolicy") == _PREFER


def _release_second(filled: Json, before: Json) -> None:
    """Leave out the second address and family of a spec that says nothing of them but that it is to be single."""
    for name in ("clusterIPs", "ipFamilies"):
        if filled.get(name) and filled[name] == before.get(name):
            filled[name] = filled[name][:1]


def _families_of(service: Json, families: Sequence[str]) -> list[str]:
    """Return the families of a spec's addresses that the cluster has; its first one where there are no addresses."""
    addresses = () if is_headless(service) else service.get("clusterIPs") or ()
    if not addresses:
        return [families[0]]
    return [family for family in dict.fromkeys(map(family_of, addresses[:_MOST])) if family in families]


def family_causes(service: Json, before: Json, families: Sequence[str] = ONE_FAMILY) -> list[Cause]:
    """Check addresses, families and their policy: each by itself, then with each other, then with the cluster."""
    if service.get("type") == "ExternalName":
        return []
    return (
        _list_causes(service)
        or [*_policy_causes(service, before), *_address_family_causes(service, families)]
        or _cluster_causes(service, families)
    )


def address_change_causes(after: Json, before: Json) -> list[Cause]:
    """Check that the addresses and families that a Service has stay while it has any; the second ones may come and go."""
    if "ExternalName" in {after.get("type"), before.get("type")}:
        return []
    found: list[Cause] = []
    if not (is_headless(after) and is_headless(before)):
        found += _change_causes(_CLUSTER_IPS, after.get("clusterIPs") or [], before.get("clusterIPs") or [])
    if not is_headless(after) and not is_headless(before):
        found += _change_causes(_FAMILY_LIST, after.get("ipFamilies") or [], before.get("ipFamilies") or [])
    return found


def _change_causes(path: str, has: list[str], had: list[str]) -> list[Cause]:
    """Check each entry where there are as many as before, else the first one."""
    checked = len(had) if len(had) == len(has) else min(len(had), 1)
    return [
        field_errors.invalid(f"{path}[{index}]", has, _ONCE_SET)
        for index in range(checked)
        if has[index : index + 1] != had[index : index + 1]
    ]


def _list_causes(service: Json) -> list[Cause]:
    addresses, families = service.get("clusterIPs") or [], service.get("ipFamilies") or []
    found: list[Cause] = []
    if addresses and not service.get("clusterIP"):
        text = "must be empty when `clusterIP` is not specified"
        found.append(field_errors.invalid(_CLUSTER_IPS, addresses, text))
    elif addresses and service["clusterIP"] != addresses[0]:
        text = "first value must match `clusterIP`"
        found.append(field_errors.invalid(_CLUSTER_IPS, addresses, text))
    repeated = field_errors.repeated(families)
    for index, family in enumerate(families):
        path = f"{_FAMILY_LIST}[{index}]"
        found += field_errors.one_of(path, family, _FAMILIES)
        found += [field_errors.duplicate(path, family)] if index in repeated else []
    if policy := service.get("ipFamilyPolicy"):
        found += field_errors.one_of(_POLICY, policy, _POLICIES)
    return found + _address_causes(addresses, families)


def _address_causes(addresses: list[str], families: list[str]) -> list[Cause]:
    """Check each address, then that they are of different families, and of those that are named."""
    if addresses[:1] == [HEADLESS]:
        text = "'None' must be the first and only value"
        return [field_errors.invalid(_CLUSTER_IPS, addresses, text)] if len(addresses) > 1 else []
    wrong = [
        cause
        for index, address in enumerate(addresses[:_MOST_CHECKED])
        for cause in ports.address_causes(f"{_CLUSTER_IPS}[{index}]", address)
    ]
    many = "may only hold up to 2 values"
    found = [field_errors.invalid(_CLUSTER_IPS, addresses, many)] if len(addresses) > _MOST else []
    if wrong:
        return wrong + found
    own = [family_of(address) for address in addresses[:_MOST_CHECKED]]
    if len(own) > 1 and len(set(own)) == 1:
        text = "may specify no more than one IP for each IP family"
        found.append(field_errors.invalid(_CLUSTER_IPS, addresses, text))
    for index, (address, family, named) in enumerate(zip(addresses, own, families, strict=False)):
        if named in _FAMILIES and family != named:
            text = f"expected an {named} value as indicated by `ipFamilies[{index}]`"
            found.append(field_errors.invalid(f"{_CLUSTER_IPS}[{index}]", address, text))
    return found


def _policy_causes(service: Json, before: Json) -> list[Cause]:
    """Check that the policy fits the addresses and families that are named, and those that were."""
    policy, found = service.get("ipFamilyPolicy"), []
    kinds = (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family"))
    for name, what in kinds if policy in _POLICIES else ():
        has, had = len(service.get(name) or []), len(before.get(name) or [])
        if policy == _SINGLE and has == _MOST:
            several = "cluster IPs" if name == "clusterIPs" else "IP families"
            text = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {several} are specified"
            found.append(field_errors.invalid(_POLICY, policy, text))
        elif policy != _SINGLE and 0 < has < had:
            text = f"must be 'SingleStack' to release the secondary {what}"
            found.append(field_errors.invalid(_POLICY, policy, text))
    return found


def _address_family_causes(service: Json, families: Sequence[str]) -> list[Cause]:
    """Check that addresses without a family of their own are of one that the cluster has."""
    addresses, named = service.get("clusterIPs") or [], len(service.get("ipFamilies") or [])
    return [
        field_errors.invalid(
            f"{_CLUSTER_IPS}[{index}]", addresses, f"{family} is not configured on this cluster"
        )
        for index, address in enumerate(addresses)
        if index >= named and (family := family_of(address)) not in families and not is_headless(service)
    ]


def _cluster_causes(service: Json, families: Sequence[str]) -> list[Cause]:
    if is_headless(service) and not service.get("selector"):
        return []
    found: list[Cause] = []
    if service.get("ipFamilyPolicy") == _REQUIRE and len(families) < _MOST:
        text = "this cluster is not configured for dual-stack services"
        found.append(field_errors.invalid(_POLICY, _REQUIRE, text))
    for index, family in enumerate(service.get("ipFamilies") or []):
        if family not in families:
            text = "not configured on this cluster"
            found.append(field_errors.invalid(f"{_FAMILY_LIST}[{index}]", family, text))
    return found


def family_of(address: str) -> str:
    """Return the family of an address."""
    return IPV6 if ports.is_address(address, IPV6) else IPV4
