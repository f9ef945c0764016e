"""Random GRPCRoutes and calls: what the tables say is what a reader of the documents would say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.gateway.objects import GRPCRoute
from tests.support.examples import examples
from tests.support.gateway import Asked, GatewayWorld, call, grpc_route, read_site, to

services = st.sampled_from(("", "a", "ab", "a.b", "a|ab", "a.*"))
methods = st.sampled_from(("", "M", "MN", "M|N", ".N"))
headers = st.lists(st.sampled_from(("x", "y")), max_size=2, unique=True)


@st.composite
def grpc_routes(draw: st.DrawFn) -> list[GRPCRoute]:
    """Routes for one host, with names and ages of their own."""
    found = []
    for name in "tsr"[: draw(st.integers(1, 3))]:
        rules = []
        for _ in range(draw(st.integers(1, 3))):
            service_, method = draw(services), draw(methods)
            is_pattern = bool(re.search(r"[|*]", service_ + method)) or method.startswith(".")
            conditions = [{"name": each, "value": "1"} for each in draw(headers)]
            match = call(service_, method, "RegularExpression" if is_pattern else "Exact", headers=conditions)
            rules.append({"matches": [match], "backendRefs": [to()]})
        found.append(grpc_route(*rules, name=name, age=draw(st.integers(0, 1))))
    return found


def _follow_slowly(
    routes: list[GRPCRoute], service_: str, method: str, given_: set[str]
) -> tuple[str, int] | None:
    """Look at every match, out of the documents: https://gateway-api.sigs.k8s.io/reference/spec/#grpcrouterule."""
    found = []
    for one in routes:
        for number, each in enumerate(one.spec.rules):
            match = each.matches[0]
            wanted = ((match.method.service, service_), (match.method.method, method))
            fits = all(
                not want or re.fullmatch(want if match.method.type != "Exact" else re.escape(want), has)
                for want, has in wanted
            )
            if fits and {header.name for header in match.headers} <= given_:
                lengths = -len(match.method.service), -len(match.method.method), -len(match.headers)
                rank = (*lengths, one.metadata.creationTimestamp or "", one.metadata.name, number)
                found.append((rank, (one.metadata.name, number)))
    return min(found)[1] if found else None


@examples(150)
@given(
    routes=grpc_routes(),
    service_=st.sampled_from(("a", "ab", "a.b", "abc")),
    method=st.sampled_from(("M", "N", "MN")),
    given_=st.sets(st.sampled_from("xy")),
)
def test_calls_go_where_the_documents_say(
    routes: list[GRPCRoute], service_: str, method: str, given_: set[str]
) -> None:
    """The longest service, the longest method, more headers, the older route, its name, its order."""
    asked = Asked("a.com", f"/{service_}/{method}", "POST", tuple((each, "1") for each in sorted(given_)))
    plan = GatewayWorld(routes=[], grpc_routes=routes).plan()
    found = read_site(plan.site.tables, 20_000, asked)
    said = (found.owner.name, found.place[0]) if found else None
    assert said == _follow_slowly(routes, service_, method, given_)
