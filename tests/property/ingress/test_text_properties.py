"""Whatever people write into their objects, the configuration has the lines that it is meant to have, and no others."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ingress.core import text
from ingress.core.rendering import MAIN, render
from ingress.core.servers import place
from machinery.model.k8s.core_v1 import Secret
from machinery.model.k8s.networking_v1 import Ingress
from tests.support.examples import examples
from tests.support.haproxy_words import words_of
from tests.support.ingress import NGINX, SETTINGS, World, certificate, ingress, path, tls_secret

# What may be in the sections that objects have a part in: `*` is one word of theirs, whatever it holds.
_ALLOWED = [
    "acl pattern-N var(txn.path) -m reg -i -- *",
    "http-request set-var(txn.route) str(*) if { var(txn.route) -m str candidates:N }",
    "http-request set-var(txn.route) str(*) if { var(txn.route) -m str candidates:N } pattern-N",
    "backend NAME",
    "http-request redirect location https://%[var(txn.host)]%[pathq] code 308 unless { ssl_fc }",
    "filter lua.body-limit N",
    "http-request deny deny_status 413 if { req.body_size gt N }",
    "http-after-response set-status 413 if { var(txn.body_refused) -m found }",
    "http-request set-path *",
    "http-request replace-path * *",
    "server sN 127.0.0.1:1 disabled",
]
_FORMAT_SIGNS = re.compile(r"(?<!%)(?:%%)*%(?!%)")  # a percent sign that is no literal one
_PAIR = certificate("a.com")

hostile = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            (
                "\n",
                "\r",
                "\x00",
                "'",
                '"',
                "\\",
                "{",
                "}",
                "%[env(HOME)]",
                "$1",
                ";",
                "#",
                " ",
                "\t",
                "if",
                "a",
                "/",
            )
        ),
        max_size=12,
    ).map("".join),
)
hostile_paths = st.one_of(hostile, hostile.map(lambda value: "/" + value))


def _patterns() -> list[re.Pattern[str]]:
    names = {"NAME": r"[A-Za-z0-9._-]+", "sN": r"s\d+"}
    found = []
    for template in _ALLOWED:
        words = []
        for word in template.split(" "):
            escaped = re.escape(word).replace(r"\*", ".*")
            escaped = re.sub(r"(?<=[-:])N$", r"\\d+", escaped)
            words.append(names.get(word, r"\d+" if word == "N" else escaped))
        found.append(re.compile("\0".join(words), re.DOTALL))
    return found


_PATTERNS = _patterns()


@st.composite
def hostile_ingresses(draw: st.DrawFn) -> Ingress:
    """An Ingress that any field can be anything of, valid or not."""
    kinds = st.sampled_from(("Exact", "Prefix", "ImplementationSpecific"))
    services = st.one_of(st.just("web"), hostile)
    ports = st.one_of(st.just(80), hostile)
    found = [
        path(draw(hostile_paths), draw(services), draw(kinds), draw(ports))
        for _ in range(draw(st.integers(1, 3)))
    ]
    keys = ("rewrite-target", "proxy-body-size", "use-regex", "ssl-redirect", "server-snippet")
    annotations = {
        NGINX + key: draw(st.one_of(hostile_paths, st.sampled_from(("true", "1k", "/a%20b/$1"))))
        for key in keys
    }
    host = draw(st.one_of(st.just("a.com"), hostile))
    tls = [
        {
            "hosts": [draw(st.one_of(st.just("a.com"), hostile))],
            "secretName": draw(st.sampled_from(("cert", "none"))),
        }
    ]
    return ingress("one", (host, found), annotations=annotations, tls=tls)


def _rendered(world: World) -> dict[str, bytes]:
    content = world.plan().content
    places = {key.name: place((), ()) for key in content.backends}
    return dict(render(content, places, SETTINGS).files)


@examples(300)
@given(one=hostile_ingresses())
def test_no_object_adds_a_line_or_a_word(one: Ingress) -> None:
    """Beyond the lines that no object has a part in there are those of the list; look-ups have two words a line."""
    world = World([one], secrets=[tls_secret(_PAIR)])
    files = _rendered(world)
    fixed = set(_rendered(World())[MAIN].decode().splitlines())
    for line in files[MAIN].decode().split("\n"):
        words = words_of(line)
        if line in fixed or not words or words[0] == "description":
            continue
        assert any(each.fullmatch("\0".join(words)) for each in _PATTERNS), line
        if words[:2] in (["http-request", "set-path"], ["http-request", "replace-path"]):
            assert not _FORMAT_SIGNS.search(words[-1]), line
    for name in ("hosts.map", "exact.map", "prefix.map"):
        for line in files[name].decode().splitlines():
            assert len(line.split()) == 2, line
            assert not line.startswith("#"), line
    for line in files["certs.list"].decode().splitlines():
        assert re.fullmatch(r"shop_cert\.pem( [a-z0-9*.-]+)*", line), line


@examples(200)
@given(said=hostile)
def test_a_word_is_read_as_it_was_written(said: str) -> None:
    """Or refused, where no line can hold it."""
    try:
        written = text.word(said)
    except text.UnsafeTextError:
        assert re.search(r"[^\x20-\x7e]", said)
        return
    assert words_of(f"keyword {written} last") == ["keyword", said, "last"]


@examples(100)
@given(value=st.binary(max_size=40))
def test_a_secret_adds_nothing_to_a_certificate(value: bytes) -> None:
    """What stands around the certificate and the key, names of files of the list among it, does not go along."""
    chain, key = _PAIR
    secret: Secret = tls_secret((value + b"\n" + chain + b"\n" + value, key + b"\n" + value))
    world = World([ingress("one", ("a.com", [path("/")]), tls=[{"hosts": ["a.com"], "secretName": "cert"}])])
    world.secrets = [secret]
    found = world.plan().content.certified
    if found:
        assert found["a.com"].pem == chain + key
