"""Many rules, arranged: what they allow is what they would allow one by one, and few of them are looked at."""

from __future__ import annotations

from random import Random

import pytest

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.escalation import uncovered
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.authz.rule_set import RuleSet
from apiserver.core.authz.rules import Rule
from apiserver.request import UserInfo
from tests.support.stalls import using

VERBS = ("get", "list", "*")
GROUPS = ("", "apps", "*")
RESOURCES = ("pods", "pods/log", "*/log", "nodes", "*")
NAMES = ("a", "b")
URLS = ("/version", "/apis/*", "*")
MANY = 18_000


def some(random: Random, texts: tuple[str, ...], *, least: int = 1) -> frozenset[str]:
    return frozenset(random.sample(texts, random.randint(least, 2)))


def drawn(random: Random) -> Rule:
    """Return a rule of a few words."""
    if random.random() < 0.2:
        return Rule(verbs=some(random, VERBS), urls=some(random, URLS))
    names = some(random, NAMES, least=0)
    return Rule(some(random, VERBS), some(random, GROUPS), some(random, RESOURCES), names)


def asked(random: Random) -> Attributes:
    """Return a question about such words, and others."""
    verb = random.choice(("get", "list", "watch"))
    if random.random() < 0.3:
        return Attributes(verb=verb, path=random.choice(("/version", "/apis/apps", "/metrics")))
    resource, _, subresource = random.choice(("pods", "pods/log", "nodes", "things/log", "things")).partition(
        "/"
    )
    return Attributes(
        verb=verb,
        group=random.choice(("", "apps", "batch")),
        resource=resource,
        subresource=subresource,
        name=random.choice(("", "a", "c")),
    )


def test_an_arrangement_leaves_out_no_rule_that_allows():
    """Whatever the rules and the question are."""
    random = Random(5)
    for _ in range(1_000):
        rules = [drawn(random) for _ in range(random.randint(0, 12))]
        question, arranged = asked(random), RuleSet(rules)
        found = (
            arranged.about_url(question.verb, question.path)
            if question.path
            else arranged.about(question.verb, question.group, question.combined, question.name)
        )
        matching = {rule for rule in rules if rule.matches(question)}
        assert matching <= set(found)


def permission(random: Random) -> Rule:
    """Return a rule that allows one thing."""
    if random.random() < 0.2:
        return Rule(
            verbs=frozenset({"get"}), urls=frozenset({random.choice(("/version", "/apis/apps", "/x"))})
        )
    verb, group = random.choice(("get", "list", "watch")), random.choice(("", "apps", "batch"))
    resource = random.choice(("pods", "pods/log", "nodes", "things/log", "things"))
    name = random.choice(((), ("a",), ("c",)))
    return Rule(frozenset({verb}), frozenset({group}), frozenset({resource}), frozenset(name))


def request_of(rule: Rule) -> Attributes:
    """Return the request that a rule allows, if it allows one thing."""
    (verb,) = rule.verbs
    if rule.urls:
        return Attributes(verb=verb, path=next(iter(rule.urls)))
    resource, _, subresource = next(iter(rule.resources)).partition("/")
    return Attributes(
        verb=verb,
        group=next(iter(rule.groups)),
        resource=resource,
        subresource=subresource,
        name=next(iter(rule.names), ""),
    )


def test_what_is_held_is_found_in_an_arrangement():
    """A permission is lacking where the request that it allows would be refused."""
    random = Random(6)
    for _ in range(400):
        held = [drawn(random) for _ in range(random.randint(0, 8))]
        wanted = list(dict.fromkeys(permission(random) for _ in range(4)))
        refused = [rule for rule in wanted if not any(have.matches(request_of(rule)) for have in held)]
        assert uncovered(held, wanted) == refused


def role(name: str, rules: list[dict[str, list[str]]]) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "default"}, "rules": rules}


@pytest.mark.deep
def test_a_role_of_many_rules_is_not_read_for_each_request():
    """A question about one of its resources costs no more than about one of a few."""
    rules = [{"apiGroups": [""], "resources": [f"r{number}"], "verbs": ["get"]} for number in range(MANY)]
    binding = {
        "metadata": {"name": "many", "namespace": "default"},
        "roleRef": {"kind": "Role", "name": "many"},
        "subjects": [{"kind": "User", "name": "user"}],
    }
    index = RbacIndex(roles=[role("many", rules)], role_bindings=[binding])
    user = UserInfo("user")

    def ask(number: int) -> bool:
        question = Attributes(verb="get", resource=f"r{number}", namespace="default")
        return index.authorize(user, question).allowed

    assert ask(0)
    with using(less_than_s=0.5):
        assert [ask(number) for number in range(MANY - 1_000, MANY)] == [True] * 1_000
    assert not ask(MANY)


@pytest.mark.deep
def test_a_role_of_many_rules_is_compared_with_many_that_are_held_in_linear_time():
    """Each with each would be 324 million comparisons."""
    held = [Rule(frozenset({"get"}), frozenset({""}), frozenset({f"r{number}"})) for number in range(MANY)]
    wanted = [
        Rule(frozenset({"get"}), frozenset({""}), frozenset({f"r{number + 5}"})) for number in range(MANY)
    ]
    with using(less_than_s=5):
        lacking = uncovered(held, wanted)
    assert [each.resources for each in lacking] == [frozenset({f"r{MANY + number}"}) for number in range(5)]
