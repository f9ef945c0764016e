"""Which servers answer what is not ours, and what they said that may be told again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from dns.core.messages import Said, aged, lifetime_s
from dns.core.names import is_within

PORT: Final = 53
MOST_SERVERS: Final = 3  # of a resolv.conf, as resolvers have it


class Server(NamedTuple):
    """Where another server answers."""

    host: str
    port: int = PORT


@dataclass(frozen=True, slots=True)
class Upstream:
    """The servers of some domains, and those of everything else."""

    servers: tuple[Server, ...]
    stubs: Mapping[str, tuple[Server, ...]]  # by domain, in lower case

    def of(self, name: str) -> tuple[Server, ...]:
        """Return whom to ask about a name: those of the longest domain that it is in."""
        domains = [domain for domain in self.stubs if is_within(name, domain)]
        return self.stubs[max(domains, key=len)] if domains else self.servers


def read_server(text: str) -> tuple[str, int]:
    """Read "host", "host:port" or "[host]:port".

    Raises:
        ValueError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if text.count(":") > 1 and not text.startswith("["):
        host, colon, port = text, "", ""
    if not colon:
        host, port = text, str(PORT)
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    return host.strip("[]"), int(port)


def read_nameservers(text: str, own: Collection[str]) -> tuple[Server, ...]:
    """Return the servers of a resolv.conf, except for ourselves."""
    lines = (line.split("#")[0].split(";")[0].split() for line in text.splitlines())
    named = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return tuple(Server(host) for host in named[:MOST_SERVERS] if host not in own)


def by_health(
    servers: tuple[Server, ...], silent_until_s: Mapping[Server, float], now_s: float
) -> tuple[Server, ...]:
    """Order servers: those that were silent lately are asked last."""
    return tuple(sorted(servers, key=lambda server: silent_until_s.get(server, 0.0) > now_s))


class _Entry(NamedTuple):
    said: Said
    since_s: float
    until_s: float


class Remembered:
    """What other servers said, for as long as they allow, and at most `longest_s`. Times are seconds of any one clock."""

    def __init__(self, most: int, longest_s: float) -> None:
        self._most = most
        self._longest_s = longest_s
        self._entries: OrderedDict[tuple[str, int], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def get(self, name: str, kind: int, now_s: float) -> Said | None:
        """Return what was said of a name, as it is now; None where nothing holds any more."""
        entry = self._entries.get((name, kind))
        if entry is None:
            return None
        if entry.until_s <= now_s:
            del self._entries[name, kind]
            return None
        return aged(entry.said, int(now_s - entry.since_s))

    def put(self, name: str, kind: int, said: Said, now_s: float) -> None:
        """Remember what was just said, in the place of the oldest where there is no room."""
        lasts_s = min(float(lifetime_s(said)), self._longest_s)
        if lasts_s <= 0:
            return
        self._entries.pop((name, kind), None)
        if len(self._entries) >= self._most:
            self._entries.popitem(last=False)
        self._entries[name, kind] = _Entry(said, now_s, now_s + lasts_s)
