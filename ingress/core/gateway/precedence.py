"""Which rule a request follows: rules as tables, two look-ups and the few conditions that no look-up can answer.

A request comes in at a port, where its host decides on one door: the one whose host is the most exact. Among the routes of that
door whose hosts cover the request's, the more exact host goes first; then, of HTTPRoutes, an exact path, the longest path (of a regular expression
its text counts), a condition about the method, more conditions about headers, more about the query; then the older route, its name, and
the order in the route. Of GRPCRoutes the longest service, the longest method and more conditions about headers go first. The first whose conditions are
all met is followed.

So every host that a route or a door names has a list of rules in that order, and every path in it, once and for all, its
candidates: up to the first that fits whatever the request has.

https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule, #grpcrouterule
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, TypeAlias

from ingress.core.gateway.filters import Sent
from ingress.core.gateway.hostnames import ANY, covering, covers
from ingress.core.gateway.rules import Backends, Conditions
from ingress.core.rules import Headers, Owner, PathKind, upwards


class Answer(NamedTuple):
    """What the proxy says itself: clients are sent elsewhere, or told that there is a fault."""

    sent: Sent | None = None
    response_headers: tuple[Headers, ...] = ()


Action: TypeAlias = Answer | Backends


class Entry(NamedTuple):
    """One match of a rule, as one door has it."""

    owner: Owner
    place: tuple[int, int]  # of the rule in its route, of the match in the rule
    conditions: Conditions
    action: Action


class Opened(NamedTuple):
    """A door that is served: the proxy's own port, the door's host, and what goes with it, by host."""

    port: int
    host: str
    entries: tuple[tuple[str, Entry], ...]


Candidates: TypeAlias = tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """Where requests go.

    Attributes:
        hosts: by host and port ("a.com/20000"), which list of rules counts.
        suffixes: likewise what host and port end with; the first that fits counts.
        exact: by list and path, candidates in order, of which the last fits always or there is no other.
        prefix: likewise by list and path with a slash at its end: the longest that the request's path, with one, begins with.
    """

    hosts: Mapping[str, str]
    suffixes: Sequence[tuple[str, str]]
    exact: Mapping[str, Candidates]
    prefix: Mapping[str, Candidates]


@dataclass(slots=True)
class _Lists:
    """Lists of rules in order, each once."""

    names: dict[Candidates, str] = field(default_factory=dict)
    exact: dict[str, Candidates] = field(default_factory=dict)
    prefix: dict[str, Candidates] = field(default_factory=dict)

    def name(self, ordered: Candidates, ranks: Mapping[Entry, int]) -> str:
        """Return what a list is called in the tables."""
        if found := self.names.get(ordered):
            return found
        name = self.names[ordered] = f"v{len(self.names) + 1}"
        rules = _Paths(ordered, ranks)
        for path in rules.exact:
            self.exact[name + path] = rules.candidates(path, exact=True)
        for path in {*rules.prefix, ""}:
            if found_here := rules.candidates(path, exact=False):
                self.prefix[f"{name}{path}/"] = found_here
        return name


def compile_doors(doors: Iterable[Opened]) -> Tables:
    """Return the tables of all doors."""
    by_port: dict[int, list[Opened]] = {}
    for door in doors:
        by_port.setdefault(door.port, []).append(door)
    lists = _Lists()
    hosts: dict[str, str] = {}
    suffixes: dict[str, str] = {}
    for port, here in by_port.items():
        for pattern, entries in _patterns(here):
            ordered = _ordered(pattern, entries)
            name = lists.name(ordered, {each: rank for rank, each in enumerate(ordered)})
            if pattern == ANY or pattern.startswith("*"):
                suffixes[f"{pattern[1:]}/{port}"] = name
            else:
                hosts[f"{pattern}/{port}"] = name
    longest_first = sorted(suffixes.items(), key=lambda item: (-len(item[0]), item[0]))
    return Tables(hosts, longest_first, lists.exact, lists.prefix)


ByHost: TypeAlias = Mapping[str, Sequence[Entry]]


def _patterns(doors: Sequence[Opened]) -> Iterator[tuple[str, ByHost]]:
    """Yield the hosts of one port, with what goes with the door that each belongs to, by host."""
    for door in doors:
        closer = {each.host for each in doors if each is not door and covers(door.host, each.host)}
        by_host: dict[str, list[Entry]] = {door.host: []}
        for host, entry in door.entries:
            by_host.setdefault(host, []).append(entry)
        for pattern in by_host:
            if closer.isdisjoint(covering(pattern)):
                yield pattern, by_host


def _ordered(pattern: str, entries: ByHost) -> Candidates:
    """Return what may fit requests for a host, in order."""
    found = (sorted(entries.get(host, ()), key=rank) for host in covering(pattern))
    return tuple(dict.fromkeys(chain.from_iterable(found)))


def rank(entry: Entry) -> tuple[object, ...]:
    """Return what the match that goes first has least of, among those of one host."""
    conditions = entry.conditions
    path, called = conditions.path, conditions.called
    if called is not None:
        first: tuple[int, ...] = (-called.service, -called.method)
    else:
        first = (path.kind is not PathKind.EXACT, -len(path.value), path.kind, not conditions.method)
    return (
        *first,
        -len(conditions.headers),
        -len(conditions.parameters),
        entry.owner.age,
        entry.place,
    )


class _Paths:
    """The rules of one list by what they say of the path."""

    def __init__(self, ordered: Candidates, ranks: Mapping[Entry, int]) -> None:
        self._ranks = ranks
        self.exact: dict[str, list[Entry]] = {}
        self.prefix: dict[str, list[Entry]] = {}
        self._patterns: list[Entry] = []
        for entry in ordered:
            path = entry.conditions.path
            match path.kind:
                case PathKind.EXACT:
                    self.exact.setdefault(path.value, []).append(entry)
                case PathKind.PREFIX:
                    self.prefix.setdefault(path.value, []).append(entry)
                case PathKind.REGEX:
                    self._patterns.append(entry)

    def candidates(self, path: str, *, exact: bool) -> Candidates:
        """Return what may fit requests for a path, or for what is below it, in order, up to the first that always does."""
        found = [*self._patterns, *(self.exact[path] if exact else ())]
        for above in upwards(path):
            found += self.prefix.get(above, ())
        found.sort(key=self._ranks.__getitem__)
        last = next((index for index, each in enumerate(found) if each.conditions.is_only_path), len(found))
        return tuple(found[: last + 1])
