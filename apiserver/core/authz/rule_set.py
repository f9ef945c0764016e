"""Rules that may be many, arranged by what they name: who asks about one permission looks at few of them.

A role has as many rules as its author likes, and each request is judged by all roles of its user. Of what a permission
consists of (verb, group, resource, name) the part that the fewest rules name decides which rules are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, TypeAlias

from apiserver.core.authz.attributes import ALL
from apiserver.core.authz.rules import Rule

_Named: TypeAlias = Mapping[str, list[Rule]]
_NONE: Final[list[Rule]] = []


class RuleSet:
    """Some rules, each once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        every = self._every = dict.fromkeys(rules)
        self._verbs = _by((rule, rule.verbs) for rule in every)
        self._groups = _by((rule, rule.groups) for rule in every)
        self._resources = _by((rule, rule.resources) for rule in every)
        self._names = _by((rule, rule.names or ("",)) for rule in every)
        self._urls = _by((rule, rule.urls) for rule in every)
        self._patterns = [rule for rule in every if any(url.endswith(ALL) for url in rule.urls)]

    def about(self, verb: str, group: str, resource: str, name: str) -> Iterable[Rule]:
        """Return the rules that may allow a verb on a resource (pods, pods/log); name is "" for one that has none."""
        _, slash, subresource = resource.partition("/")
        of_all = self._resources.get(f"*/{subresource}", _NONE) if slash else _NONE
        return _fewest(
            _naming(self._verbs, verb),
            _naming(self._groups, group),
            (*_naming(self._resources, resource), of_all),
            (self._names.get("", _NONE), self._names.get(name, _NONE) if name else _NONE),
        )

    def about_url(self, verb: str, url: str) -> Iterable[Rule]:
        """Return the rules that may allow a verb on a path that is no resource."""
        return _fewest(_naming(self._verbs, verb), (self._urls.get(url, _NONE), self._patterns))

    def containing(self, rule: Rule) -> Iterable[Rule]:
        """Return the rules that may contain all of another one."""
        if not (rule.verbs and (rule.urls or (rule.groups and rule.resources))):
            return self._every  # what it leaves out is contained in all of them
        verb = next(iter(rule.verbs))
        if rule.urls:
            return self.about_url(verb, next(iter(rule.urls)))
        group, resource = next(iter(rule.groups)), next(iter(rule.resources))
        return self.about(verb, group, resource, next(iter(rule.names), ""))


def _by(named: Iterable[tuple[Rule, Iterable[str]]]) -> _Named:
    found: dict[str, list[Rule]] = {}
    for rule, texts in named:
        for text in texts:
            found.setdefault(text, []).append(rule)
    return found


def _naming(named: _Named, text: str) -> tuple[list[Rule], list[Rule]]:
    return (_NONE if text == ALL else named.get(text, _NONE)), named.get(ALL, _NONE)


def _total(lists: Sequence[list[Rule]]) -> int:
    return sum(len(each) for each in lists)


def _fewest(*ways: Sequence[list[Rule]]) -> Iterable[Rule]:
    fewest: Sequence[list[Rule]] = min(ways, key=_total)
    return chain.from_iterable(fewest)
