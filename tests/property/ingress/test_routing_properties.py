"""Random rules and requests: what the tables say is what a reader of the documents would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.routing import compile_rules
from ingress.core.rules import ANY_HOST, Owner, Path, PathKind, Rule, Target
from tests.support.examples import examples
from tests.support.ingress import read_tables, route_slowly

_HOSTS = ("a.com", "b.a.com", "*.a.com", "*.b.a.com", "c.com", ANY_HOST)
_ASKED_HOSTS = ("a.com", "b.a.com", "x.a.com", "x.b.a.com", "y.x.a.com", "c.com", "d.com", "localhost")
_ELEMENTS = ("a", "b", "ab", "A")
_PATTERNS = ("/a(/|$)(.*)", "/[a-b]+", "/.*b", "/a/b$", "/(b|ab)/?", "/")

paths = st.lists(st.sampled_from(_ELEMENTS), max_size=3).map(
    lambda parts: "".join(f"/{each}" for each in parts)
)
kinds = st.one_of(
    st.builds(Path, st.just(PathKind.PREFIX), paths),
    st.builds(lambda value: Path(PathKind.EXACT, value or "/"), paths),
    st.builds(lambda value: Path(PathKind.EXACT, value + "/"), paths),
    st.builds(Path, st.just(PathKind.REGEX), st.sampled_from(_PATTERNS)),
)
owners = st.builds(
    Owner, st.just("Ingress"), st.sampled_from(("n1", "n2")), st.sampled_from("xyz"), st.sampled_from("12")
)


@st.composite
def rules_of(draw: st.DrawFn) -> list[Rule]:
    """Rules, each with a target of its own."""
    found: list[Rule] = []
    for number in range(draw(st.integers(0, 12))):
        is_default = draw(st.integers(0, 9)) == 0
        path = Path(PathKind.PREFIX, "") if is_default else draw(kinds)
        target = Target("n", f"s{number}", "80")
        host = draw(st.sampled_from(_HOSTS))
        found.append(Rule(draw(owners), host, path, target, is_default=is_default))
    return found


requests = st.tuples(
    st.sampled_from(_ASKED_HOSTS),
    st.tuples(paths, st.sampled_from(("", "/", "//b"))).map(lambda two: "".join(two) or "/"),
)


@examples(400)
@given(rules=rules_of(), asked=st.lists(requests, min_size=1, max_size=12))
def test_tables_say_what_the_documents_say(rules: list[Rule], asked: list[tuple[str, str]]) -> None:
    """Hosts, elements, lengths, kinds, ages and defaults; and the tables do not depend on the order of the objects."""
    tables, _ = compile_rules(rules)
    for host, path in asked:
        found = read_tables(tables, host, path)
        assert (found.target if found else None) == route_slowly(rules, host, path), (host, path)


@examples(100)
@given(rules=rules_of())
def test_whose_rule_is_not_followed_is_told(rules: list[Rule]) -> None:
    """Of rules for the same host and path one is followed; each of the others is complained about, once."""
    _, problems = compile_rules(rules)
    places = [(rule.host, rule.path) for rule in rules if not rule.is_default]
    assert len(problems) == len(places) - len(set(places))
    assert {problem.owner for problem in problems} <= {rule.owner for rule in rules}
