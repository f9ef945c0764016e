"""Nobody gives away what they do not have."""

from __future__ import annotations

import pytest

from apiserver.core.authz.escalation import TooManyParts, changes_meaning, compacted, uncovered
from apiserver.core.authz.rules import Rule


def rule(
    verbs: str = "get", resources: str = "pods", groups: str = "", names: str = "", urls: str = ""
) -> Rule:
    def parts(text: str) -> frozenset[str]:
        return frozenset(text.split(",")) if text else frozenset()

    return Rule(parts(verbs), frozenset(groups.split(",")), parts(resources), parts(names), parts(urls))


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        ([rule()], rule(), True),
        ([rule()], rule(verbs="get,list"), False),
        ([rule(), rule(verbs="list")], rule(verbs="get,list"), True),
        ([rule(verbs="*", resources="*", groups="*")], rule(verbs="get,list", groups="apps"), True),
        ([rule(resources="*/log")], rule(resources="pods/log"), True),
        ([rule(resources="pods")], rule(resources="*"), False),
        ([rule(names="a")], rule(names="a"), True),
        ([rule(names="a")], rule(), False),
        ([rule()], rule(names="a"), True),
        ([rule(urls="/apis/*", resources="")], rule(urls="/apis/apps", resources=""), True),
        ([rule(urls="/apis/apps", resources="")], rule(urls="/apis/*", resources=""), False),
        ([], rule(), False),
    ],
)
def test_rules_cover_others(held: list[Rule], wanted: Rule, covered: bool):
    """Rules are compared permission by permission, whatever rules they are spread over."""
    assert (uncovered(held, [wanted]) == []) is covered


def test_what_is_lacking_is_named_one_by_one():
    """Only the permissions that are lacking are named."""
    lacking = uncovered([rule()], [rule(verbs="get,delete", resources="pods,secrets")])
    assert [each.describe() for each in lacking] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["delete"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    ]


def test_too_much_to_compare_is_refused():
    """A role made to keep the server busy is refused before it is looked at."""
    many = ",".join(f"v{number}" for number in range(300))
    with pytest.raises(TooManyParts):
        uncovered([rule()], [rule(verbs=many, resources=many)])


def test_the_garbage_collector_may_change_its_own_fields():
    """Owners and finalizers are no permissions."""
    old = {"metadata": {"name": "r", "resourceVersion": "1"}, "rules": []}
    assert not changes_meaning({**old, "metadata": {"name": "r", "finalizers": ["x"]}}, old)
    assert changes_meaning({**old, "rules": [{}]}, old)
    assert changes_meaning(old, None)


def test_lacking_permissions_on_one_resource_are_one_line():
    """As Kubernetes writes them: verbs together, all else apart."""
    lacking = uncovered(
        [], [rule(verbs="get,list", resources="pods,secrets"), rule(urls="/a,/b", resources="")]
    )
    assert [each.describe() for each in compacted(lacking)] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/a"], Verbs:["get"]}',
        '{NonResourceURLs:["/b"], Verbs:["get"]}',
    ]
