"""Rules as tables: one look-up by host and path, and the few conditions that no look-up can answer.

A request is first looked up by its host: the exact one, then the wildcard of one label, then ANY_HOST. What the host's rules say
counts, and nobody else's. Among them an exact path goes before everything, then the longest path; of regular expressions
the length of their text counts. Defaults come last, those of nobody's host after them. Of two rules for the same, the older
owner's is followed.

So each path that a rule names has, once and for all, its candidates in order: its own rules, the regular expressions, those of
the paths above it, up to the first that fits whatever the request has. Where that is the first, the table says where the
request goes; else it says which list of candidates is to be gone through.

https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingress.core.rules import ANY_HOST, PathKind, Problem, Rule, upwards

EVERY_OTHER: Final = "-"  # what stands for ANY_HOST in the tables


@dataclass(frozen=True, slots=True)
class Tables:
    """Where requests go.

    Attributes:
        hosts: hosts that have rules, wildcards as they are written.
        exact: by host and path, candidates in order, of which the last fits always or there is no other.
        prefix: likewise by host and path with a slash at its end: the longest that the request's path, with one, begins with.
    """

    hosts: frozenset[str]
    exact: Mapping[str, tuple[Rule, ...]]
    prefix: Mapping[str, tuple[Rule, ...]]


@dataclass(slots=True)
class _Host:
    """The rules of one host: for each path only the first is followed."""

    exact: dict[str, Rule] = field(default_factory=dict)
    prefix: dict[str, Rule] = field(default_factory=dict)
    patterns: dict[str, Rule] = field(default_factory=dict)
    default: Rule | None = None


def compile_rules(rules: Iterable[Rule]) -> tuple[Tables, list[Problem]]:
    """Return the tables, and what is wrong with rules that are not followed."""
    hosts, problems = _by_host(rules)
    other = hosts.get(ANY_HOST)
    last = other.default if other else None
    exact: dict[str, tuple[Rule, ...]] = {}
    prefix: dict[str, tuple[Rule, ...]] = {}
    for name, host in hosts.items():
        key = name or EVERY_OTHER
        host.default = host.default or last
        patterns = sorted(host.patterns.values(), key=_rank)
        for path in host.exact:
            exact[key + path] = _candidates(host, path, patterns, host.exact[path])
        for path in host.prefix.keys() | {""}:
            if found := _candidates(host, path, patterns, None):
                prefix[f"{key}{path}/"] = found
    return Tables(frozenset(hosts) - {ANY_HOST}, exact, prefix), problems


def _by_host(rules: Iterable[Rule]) -> tuple[dict[str, _Host], list[Problem]]:
    hosts: dict[str, _Host] = {}
    problems: list[Problem] = []
    for rule in sorted(
        rules, key=lambda rule: rule.owner.age
    ):  # stable: the rules of one object keep their order
        host = hosts.setdefault(rule.host, _Host())
        if rule.is_default:
            host.default = host.default or rule
            continue
        first = _of_kind(host, rule.path.kind).setdefault(rule.path.value, rule)
        if first is not rule:
            problems.append(_conflict(rule, first))
    return hosts, problems


def _of_kind(host: _Host, kind: PathKind) -> dict[str, Rule]:
    return {PathKind.EXACT: host.exact, PathKind.PREFIX: host.prefix, PathKind.REGEX: host.patterns}[kind]


def _candidates(host: _Host, path: str, patterns: Sequence[Rule], exact: Rule | None) -> tuple[Rule, ...]:
    """Return what may fit requests that come to a path, in order, up to the first that always does."""
    if exact is not None:
        return (exact,)
    found: list[Rule] = []
    longest = next((host.prefix[above] for above in upwards(path) if above in host.prefix), host.default)
    for rule in patterns:
        if longest is not None and not longest.is_default and _rank(longest) < _rank(rule):
            break
        found.append(rule)
    return (*found, longest) if longest is not None else tuple(found)


def _rank(rule: Rule) -> tuple[int, int, tuple[str, str, str], str]:
    return -len(rule.path.value), rule.path.kind, rule.owner.age, rule.path.value


def _conflict(rule: Rule, first: Rule) -> Problem:
    host, path = rule.host or "every host", rule.path.value or "/"
    whose = (
        "an earlier rule of it"
        if rule.owner == first.owner
        else f"{first.owner.namespace}/{first.owner.name}"
    )
    text = f"{host}{path if rule.host else ' ' + path} is served by {whose} already: the older is followed"
    return Problem(rule.owner, "Conflict", text)
