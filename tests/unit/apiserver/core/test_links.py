"""Links of HTML pages, rewritten piece by piece."""

from __future__ import annotations

from functools import partial

import pytest

from apiserver.core.proxying.headers import Place, answer_headers, request_headers, rewritten
from apiserver.core.proxying.links import LinkRewriter

PLACE = Place("kube:6443", "/api/v1/namespaces/a/pods/web/proxy", "/page")
BELOW = f"https://kube:6443{PLACE.prefix}"


def rewrite(page: bytes, piece: int) -> bytes:
    rewriter = LinkRewriter(partial(rewritten, place=PLACE))
    parts = [rewriter.feed(page[begin : begin + piece]) for begin in range(0, len(page), piece)]
    return b"".join([*parts, rewriter.finish()])


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<a href="/x">', f'<a href="{BELOW}/x">'),
        ("<A class=b HREF='/x?a=1&amp;b#c'>", f"<A class=b HREF='{BELOW}/x?a=1&amp;b#c'>"),
        ("<img src=/x.png alt=/x>", f'<img src="{BELOW}/x.png" alt=/x>'),
        (f'<form action="{PLACE.prefix}/f/">', f'<form action="{BELOW}/f/">'),
        ('<script src="http://kube:6443/x">', f'<script src="{BELOW}/x">'),
        ('<a title="1 > 0" href="/x">é</a>', f'<a title="1 > 0" href="{BELOW}/x">é</a>'),
        ('<a href="x"><a href="//other/x"><a href="https://other/x">', None),
        ('<p href="/x">1 < 2</p><a name="/x">', None),
        ('<!-- <a href="/x"> --><a>', None),
        ('<a href="/x', None),
        ("a < b", None),
        ("", None),
    ],
)
def test_links_to_the_host_behind_lead_through_the_proxy(page: str, expected: str | None):
    """However the page is cut; everything else stays as it is."""
    for piece in (1, 2, 7, 10_000):
        assert rewrite(page.encode(), piece).decode() == (page if expected is None else expected)


@pytest.mark.parametrize("bomb", [b"<a ", b"<!--", b'<a "', b"<", b"<a href='", b"-->"])
def test_pages_that_never_end_their_markup_pass(bomb: bytes):
    """Nothing of them is kept beyond 64 KiB, and reading them is linear in time."""
    page = bomb * (256 * 1024 // len(bomb))
    rewriter = LinkRewriter(partial(rewritten, place=PLACE))
    out = b""
    for begin in range(0, len(page), 65536):
        out += rewriter.feed(page[begin : begin + 65536])
        assert len(rewriter._rest) <= 65536
    assert out + rewriter.finish() == page


def test_what_is_between_neighbours_is_not_passed_on():
    """Nor what Connection names, nor credentials; who passes it on says for whom."""
    given = [
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "1"),
        ("Authorization", "Bearer secret"),
        ("Impersonate-User", "a"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Uri", "/lie"),
        ("Accept", "*/*"),
        ("Upgrade", "websocket"),
    ]
    forwarded = [
        ("X-Forwarded-For", "192.0.2.1, 192.0.2.2"),
        ("X-Forwarded-Uri", f"{PLACE.prefix}/page"),
        ("X-Forwarded-Host", "kube:6443"),
        ("X-Forwarded-Proto", "https"),
    ]
    plain = request_headers(given, PLACE, "192.0.2.2", upgrades=False)
    assert plain == [("Accept", "*/*"), *forwarded]
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    assert request_headers(given, PLACE, "192.0.2.2", upgrades=True) == [*plain, *upgrade]
    answer = [("Location", "/x/"), ("Transfer-Encoding", "chunked"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert answer_headers(answer, PLACE) == [
        ("Location", f"{BELOW}/x/"),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
    ]
