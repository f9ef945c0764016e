"""Random routes, listeners and requests: what the tables say is what a reader of the documents would say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.gateway.hostnames import covering, covers, intersection
from ingress.core.gateway.objects import HTTPRoute
from tests.support.examples import examples
from tests.support.gateway import Asked, GatewayWorld, follow_slowly, gateway, read_site, route, to

_LISTENER_HOSTS = ("", "*.com", "*.a.com", "a.com", "b.a.com", "*.b.a.com")
_HOSTS = ("a.com", "b.a.com", "c.b.a.com", "*.a.com", "*.b.a.com", "*.com", "c.com")
_ASKED = ("a.com", "b.a.com", "c.b.a.com", "d.a.com", "x.y.a.com", "c.com", "d.net", "com")
_PATTERNS = ("/a(/.*)?", "/[a-b]+", "/.*b", "/a/b", "/")

# few paths and many values that are met, so that several rules fit a request
paths = st.lists(st.sampled_from("aab"), max_size=2).map(lambda parts: "".join(f"/{each}" for each in parts))
kinds = st.one_of(
    st.builds(lambda value: {"type": "PathPrefix", "value": value or "/"}, paths),
    st.builds(lambda value: {"type": "PathPrefix", "value": f"{value}/"}, paths),
    st.builds(lambda value: {"type": "Exact", "value": value or "/"}, paths),
    st.builds(lambda value: {"type": "Exact", "value": f"{value}/"}, paths),
    st.builds(lambda value: {"type": "RegularExpression", "value": value}, st.sampled_from(_PATTERNS)),
)
values = st.lists(
    st.builds(
        lambda name, value, pattern: {
            "name": name,
            "value": "1|2" if pattern else value,
            "type": "RegularExpression" if pattern else "Exact",
        },
        st.sampled_from("xy"),
        st.sampled_from("1112"),
        st.booleans(),
    ),
    max_size=2,
    unique_by=lambda each: each["name"],
)
matches = st.builds(
    lambda path, headers, query, method: {
        "path": path,
        "headers": headers,
        "queryParams": query,
        "method": method,
    },
    kinds,
    values,
    values,
    st.sampled_from(("", "GET", "GET", "POST")),
)


@st.composite
def routes_of(draw: st.DrawFn) -> list[HTTPRoute]:
    """Routes with names and ages of their own."""
    found = []
    for name in "tsrq"[: draw(st.integers(1, 4))]:
        rules: list[dict[str, Any]] = [
            {"matches": draw(st.lists(matches, min_size=1, max_size=2)), "backendRefs": [to()]}
            for _ in range(draw(st.integers(1, 3)))
        ]
        hosts = draw(st.lists(st.sampled_from(_HOSTS), max_size=2, unique=True))
        found.append(route(*rules, name=name, hostnames=hosts, age=draw(st.integers(0, 1))))
    return found


pairs = st.lists(
    st.tuples(st.sampled_from("xy"), st.sampled_from("1112")),
    min_size=1,
    max_size=2,
    unique_by=lambda each: each[0],
)
requests = st.builds(
    Asked,
    st.sampled_from(_ASKED),
    st.tuples(paths, st.sampled_from(("", "/"))).map(lambda two: "".join(two) or "/"),
    st.sampled_from(("GET", "GET", "POST")),
    pairs.map(tuple),
    pairs.map(tuple),
)
listeners = st.lists(st.sampled_from(_LISTENER_HOSTS), min_size=1, max_size=3, unique=True)


@examples(200)
@given(hosts=listeners, routes=routes_of(), asked=st.lists(requests, min_size=4, max_size=12))
def test_tables_say_what_the_documents_say(
    hosts: list[str], routes: list[HTTPRoute], asked: list[Asked]
) -> None:
    """Listeners, hosts, paths, methods, headers, queries, ages and names; whatever the order of the objects."""
    doors = [
        {"name": f"l{index}", "hostname": host, "port": 80, "protocol": "HTTP"}
        for index, host in enumerate(hosts)
    ]
    plan = GatewayWorld([gateway(*doors)], routes).plan()
    backwards = GatewayWorld([gateway(*reversed(doors))], routes[::-1]).plan()
    for each in asked:
        for tables in (plan.site.tables, backwards.site.tables):
            found = read_site(tables, 20_000, each)
            said = (found.owner.name, found.place[0]) if found else None
            assert said == follow_slowly(hosts, routes, each), each


@examples(200)
@given(one=st.sampled_from(_HOSTS), other=st.sampled_from(_HOSTS), host=st.sampled_from(_ASKED))
def test_an_intersection_is_what_both_cover(one: str, other: str, host: str) -> None:
    """Neither more nor less."""
    common = intersection(one, other)
    assert (common is not None and covers(common, host)) is (covers(one, host) and covers(other, host))


@examples(100)
@given(pattern=st.sampled_from(("", *_HOSTS)), other=st.sampled_from(("", *_HOSTS)))
def test_what_covers_a_host_is_named_the_most_exact_first(pattern: str, other: str) -> None:
    """All of it, and nothing else; each is covered by the next."""
    named = list(covering(pattern))
    assert (other in named) is covers(other, pattern)
    assert all(covers(wide, narrow) for narrow, wide in pairwise(named))
