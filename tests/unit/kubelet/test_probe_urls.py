"""The URLs of probes: as Go's net/url reads them, since manifests are written for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelet.core.probe_urls import HttpUrl, probe_url, redirected
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("healthz", "/healthz"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a b%2Fc", "/a%20b/c"),  # what has to be encoded is encoded anew
        ("/ü", "/%C3%BC"),
        ("/a[0]!'(*)", "/a[0]!'(*)"),
        ('/a"b', "/a%22b"),
        ("/a?b=1&c=%20", "/a?b=1&c=%20"),
        ("/a?b c", "/a?b c"),
        ("/a?", "/a?"),
        ("?b=1", "/?b=1"),
        ("/a#part", "/a"),
        ("/a?b#part?c", "/a?b"),
        ("http://elsewhere:81/a?b", "/a?b"),
        ("http://elsewhere", "/"),
        ("//elsewhere/a", "/a"),
        ("///a", "///a"),
        ("/%zz?b", "/%25zz%3Fb"),  # no URL: a path, sign by sign
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
        (":8080/a", "/:8080/a"),
        ("1a:b", "/1a:b"),
        ("http://else where/a", "/http://else%20where/a"),
        ("//a:port/b", "//a:port/b"),
    ],
)
def test_what_a_path_asks_for(path: str, target: str):
    """Scheme, host and port are the probe's, whatever the path says."""
    url = probe_url("HTTP", "10.0.0.1", 80, path)
    assert (url.scheme, url.host, url.port, url.target) == ("http", "10.0.0.1", 80, target)


def test_a_scheme_without_a_path_names_no_host():
    """Go takes what follows for opaque, and has nobody to ask."""
    with pytest.raises(ValueError, match="no Host in request URL"):
        probe_url("HTTP", "10.0.0.1", 80, "mailto:me/at")


def test_a_whole_url_brings_user_and_password():
    """They become an Authorization header; nothing else of the authority is used."""
    assert probe_url("HTTPS", "10.0.0.1", 443, "http://me:p%20w@elsewhere/a").userinfo == "me:p%20w"


def test_the_text_is_that_of_events():
    """With an address of IPv6 in brackets."""
    assert str(probe_url("", "fd00::1", 8080, "a b?c")) == "http://[fd00::1]:8080/a%20b?c"


@examples(500)
@given(st.text(max_size=40).map(lambda text: f"/{text}"))
def test_no_path_breaks_the_request_line(path: str):
    """Whatever is written in a manifest, the request has one line, and its path begins at the root."""
    url = probe_url("HTTP", "10.0.0.1", 80, path)
    assert url.target.startswith("/")
    assert not any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in url.target)
    assert " " not in url.target.partition("?")[0]


HERE = HttpUrl("http", "10.0.0.1", 8080, "/a/b", "?c")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x y", "http://10.0.0.1:8080/x%20y"),
        ("d", "http://10.0.0.1:8080/a/d"),
        ("?e=1", "http://10.0.0.1:8080/a/b?e=1"),
        ("https://10.0.0.1/x", "https://10.0.0.1:443/x"),
        ("//10.0.0.2:90/x", "http://10.0.0.2:90/x"),
    ],
)
def test_where_a_redirect_goes(location: str, expected: str):
    """Relative to what was asked for; the port is that of the scheme, where none is named."""
    assert str(redirected(HERE, location)) == expected


@pytest.mark.parametrize("location", ["http://[", "ftp://10.0.0.1/", "http://10.0.0.1:99999/", "/a\nb"])
def test_a_redirect_to_nowhere(location: str):
    """A server can say what it likes; the probe fails, and says why."""
    with pytest.raises(ValueError, match=r"\S"):
        redirected(HERE, location)
