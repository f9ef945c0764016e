"""Memory is no place for what anybody may send: nothing long is remembered, and nothing of those who show no certificate."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.rbac import RbacIndex
from apiserver.request import UserInfo
from apiserver.rest import heads, http_request, negotiation, paths
from apiserver.rest.http_request import HttpRequest
from machinery.model.errors import BadRequest, NotAcceptable
from machinery.process.tls import ANONYMOUS, Peer
from machinery.wire import fence_header

LONG = "x" * 10_000


def _request(url: str, peer: Peer) -> HttpRequest:
    return HttpRequest("GET", url, CIMultiDictProxy(CIMultiDict()), peer, b"")


@pytest.mark.parametrize(
    ("peer", "name", "kept"),
    [(Peer("jane"), "short", 1), (Peer("jane"), LONG, 0), (ANONYMOUS, "short", 0), (ANONYMOUS, LONG, 0)],
)
def test_paths_and_queries_of_known_clients_are_remembered_if_they_are_short(
    peer: Peer, name: str, kept: int
) -> None:
    """What is read is the same in every case."""
    caches: list[Any] = [paths._remembered, http_request._remembered_query]
    for cache in caches:
        cache.cache_clear()
    for _ in range(2):
        asked = _request(f"/api/v1/pods/{name}?fieldSelector={name}", peer)
        assert isinstance(asked.target, paths.Target)
        assert (asked.target.name, asked.query["fieldSelector"]) == (name, name)
    assert [cache.cache_info().currsize for cache in caches] == [kept, kept]


@pytest.mark.parametrize(("agent", "is_known", "kept"), [("a", True, 1), ("a", False, 0), (LONG, True, 0)])
def test_heads_are_remembered_in_the_same_way(agent: str, is_known: bool, kept: int) -> None:
    """A block of lines may be 16 KiB."""
    heads._remembered.clear()
    block = f"GET /api HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n".encode()
    for _ in range(2):
        head = heads.read_head(block, is_known=is_known)
        assert head
        assert head.fields.headers["user-agent"] == agent
    assert len(heads._remembered) == kept


def test_a_long_accept_header_is_not_remembered() -> None:
    """Neither is one that is refused."""
    remembered: Any = negotiation._remembered
    remembered.cache_clear()
    for accept in (f"application/json;x={LONG}", f"x/{LONG}", "x/y"):
        try:
            form = negotiation.negotiate(accept, negotiation.OBJECTS)
        except NotAcceptable:
            form = None
        assert (form == negotiation.Form()) is accept.startswith("application/json")
    assert remembered.cache_info().currsize == 0


def test_a_long_fence_is_refused() -> None:
    """Four names are not as long as that."""
    with pytest.raises(BadRequest, match="not as long"):
        fence_header.read(f"a/{LONG}@1+u+h")


@pytest.mark.parametrize(
    ("user", "path", "kept"),
    [
        (UserInfo("jane"), "/version", 1),
        (UserInfo("jane"), f"/{LONG}", 0),
        (UserInfo(LONG), "/version", 0),
        (UserInfo("jane", groups=(LONG,)), "/version", 0),
    ],
)
def test_answers_to_long_questions_and_users_are_not_kept(user: UserInfo, path: str, kept: int) -> None:
    """Somebody who may impersonate has whatever name they write."""
    index = RbacIndex()
    index.authorize(user, Attributes(verb="get", path=path))
    assert len(index._answers) == kept
    assert len(index._gathered) == (1 if len(user.name) < 100 and not user.groups else 0)
