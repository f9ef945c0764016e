"""What a user changes while the server runs: the ConfigMap kube-system/kubarium-dns.

    stubDomains: |            domains with servers of their own, as kube-dns has them: JSON
      {"corp.example": ["10.0.0.53", "10.0.0.54:5353"]}
    upstreamNameservers: |    servers for all other names, in the place of those of the flags: JSON
      ["9.9.9.9"]
    hosts: |                  names with addresses, in the format of hosts(5)
      192.0.2.7  printer.example printer

What is there is in the place of the flag of that name; what is not is as the flags have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from dns.core.names import canonical
from dns.core.upstream import Server, Upstream, read_server

NAMESPACE: Final = "kube-system"
CONFIG_MAP: Final = "kubarium-dns"
R = TypeVar("R")


class Hosts(NamedTuple):
    """Names with addresses, and addresses with names; each in the order in which they stand."""

    addresses: Mapping[str, tuple[str, ...]]
    names: Mapping[str, tuple[str, ...]]


NO_HOSTS: Final = Hosts({}, {})


class Settings(NamedTuple):
    """What the ConfigMap says; None where it says nothing."""

    servers: tuple[Server, ...] | None = None
    stubs: Mapping[str, tuple[Server, ...]] | None = None
    hosts: Hosts = NO_HOSTS

    def over(self, flags: Upstream) -> Upstream:
        """Return whom to ask, with what is said here in the place of the flags."""
        return Upstream(
            flags.servers if self.servers is None else self.servers,
            flags.stubs if self.stubs is None else self.stubs,
        )


def read_settings(data: Mapping[str, str]) -> Settings:
    """Read the ConfigMap's data.

    Raises:
        ValueError: a key is not known, or its value makes no sense; the text names the key.
    """
    if unknown := sorted(data.keys() - _READERS.keys()):
        raise ValueError(f"{unknown[0]}: there is no such key (there are: {', '.join(_READERS)})")
    read = {key: _named(key, _READERS[key], text) for key, text in data.items() if text.strip()}
    return Settings(read.get("upstreamNameservers"), read.get("stubDomains"), read.get("hosts", NO_HOSTS))


def _named(key: str, read: Callable[[str], R], text: str) -> R:
    try:
        return read(text)
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"{key}: {error}") from error


def _servers(texts: list[str]) -> tuple[Server, ...]:
    found = []
    for text in texts:
        server = Server(*read_server(text))
        ip_address(server.host)
        found.append(server)
    return tuple(found)


def _upstream(text: str) -> tuple[Server, ...]:
    return _servers(msgspec.json.decode(text, type=list[str]))


def _stubs(text: str) -> dict[str, tuple[Server, ...]]:
    found = {}
    for domain, texts in msgspec.json.decode(text, type=dict[str, list[str]]).items():
        if not (name := domain.strip(".").lower()) or not texts:
            raise ValueError(f'"{domain}" needs a name and at least one server')
        found[name] = _servers(texts)
    return found


def _hosts(text: str) -> Hosts:
    addresses: dict[str, dict[str, None]] = {}
    names: dict[str, dict[str, None]] = {}
    for address, name in _entries(text):
        addresses.setdefault(name, {})[address] = None
        names.setdefault(address, {})[name] = None
    return Hosts(*({key: tuple(found) for key, found in each.items()} for each in (addresses, names)))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            address = canonical(str(ip_address(words[0])))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if len(words) == 1:
            raise ValueError(f"line {number}: {words[0]} has no name")
        yield from ((address, name.rstrip(".").lower()) for name in words[1:])


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "stubDomains": _stubs,
    "upstreamNameservers": _upstream,
    "hosts": _hosts,
}
