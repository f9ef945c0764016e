"""The rules of names and resolvers: dnsPolicy, dnsConfig, hostAliases.

https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_POLICIES: Final = frozenset({"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"})
_MOST_SERVERS: Final = 3
_MOST_SEARCHES: Final = 32
_MOST_CHARACTERS: Final = 2048


def dns_causes(spec: Json, path: str) -> list[Cause]:
    """Check how a pod resolves names."""
    policy = spec.get("dnsPolicy", "")
    found = (
        field_errors.one_of(f"{path}.dnsPolicy", policy, _POLICIES)
        if policy
        else [field_errors.required(f"{path}.dnsPolicy")]
    )
    found += _config_causes(spec.get("dnsConfig"), policy, f"{path}.dnsConfig")
    return found + _alias_causes(spec.get("hostAliases") or [], f"{path}.hostAliases")


def _config_causes(config: Json | None, policy: str, path: str) -> list[Cause]:
    if config is None:
        text = "must provide `dnsConfig` when `dnsPolicy` is None"
        return [field_errors.required(path, text)] if policy == "None" else []
    servers = config.get("nameservers") or []
    if policy == "None" and not servers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [field_errors.required(f"{path}.nameservers", text)]
    found: list[Cause] = []
    if len(servers) > _MOST_SERVERS:
        text = f"must not have more than {_MOST_SERVERS} nameservers"
        found.append(field_errors.invalid(f"{path}.nameservers", servers, text))
    for index, server in enumerate(servers):
        found += ports.address_causes(f"{path}.nameservers[{index}]", server)
    found += _search_causes(config.get("searches") or [], f"{path}.searches")
    for index, option in enumerate(config.get("options") or []):
        if not option.get("name"):
            found.append(field_errors.required(f"{path}.options[{index}]", "must not be empty"))
    return found


def _search_causes(searches: list[str], path: str) -> list[Cause]:
    found: list[Cause] = []
    if len(searches) > _MOST_SEARCHES:
        text = f"must not have more than {_MOST_SEARCHES} search paths"
        found.append(field_errors.invalid(path, searches, text))
    if len(" ".join(searches)) > _MOST_CHARACTERS:
        text = f"must not have more than {_MOST_CHARACTERS} characters (including spaces) in the search list"
        found.append(field_errors.invalid(path, searches, text))
    for index, search in enumerate(searches):
        if search == ".":
            continue
        # Labels of service records begin with an underscore: they may be searched, too.
        plain = search.removesuffix(".").replace("_", "x")
        found += field_errors.each_invalid(f"{path}[{index}]", search, names.dns_subdomain_errors(plain))
    return found


def _alias_causes(aliases: list[Json], path: str) -> list[Cause]:
    found: list[Cause] = []
    for index, alias in enumerate(aliases):
        found += ports.address_causes(f"{path}[{index}].ip", alias.get("ip", ""))
        for number, name in enumerate(alias.get("hostnames") or []):
            where = f"{path}[{index}].hostnames[{number}]"
            found += field_errors.each_invalid(where, name, names.dns_subdomain_errors(name))
    return found
