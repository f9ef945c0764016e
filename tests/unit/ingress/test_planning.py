"""Objects in, configuration and complaints out."""

from __future__ import annotations

import re

import pytest

from ingress.core.rendering import MAIN, Configuration, render
from ingress.core.rules import Owner, Target
from ingress.core.servers import Server, place, servers_of, why_not
from ingress.core.status import addresses_of, out_of_date
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.networking_v1 import IngressLoadBalancerIngress
from tests.support.builders import changed
from tests.support.ingress import (
    NGINX,
    SETTINGS,
    World,
    certificate,
    endpoint,
    endpoint_slice,
    ingress,
    path,
    read_tables,
    service,
    tls_secret,
)

A, B, C, D, E = (Server(f"10.244.0.{number}", 8080) for number in range(1, 6))
PAIR = certificate("a.com")


def _render(world: World) -> Configuration:
    content = world.plan().content
    slices = world.slices_of
    view = world.view
    places = {
        key.name: place(
            (), servers_of(key.target, view.find_service(*key.target[:2]), slices(*key.target[:2]))
        )
        for key in content.backends
    }
    return render(content, places, SETTINGS)


def _main(world: World) -> str:
    return _render(world).files[MAIN].decode()


def _said(world: World) -> list[str]:
    return [f"{each.owner.name} {each.reason}: {each.message}" for each in world.plan().problems]


@pytest.mark.parametrize(
    ("kind", "value", "asked", "served"),
    [
        ("Prefix", "/", "/foo", True),
        ("Exact", "/foo", "/foo", True),
        ("Exact", "/foo", "/bar", False),
        ("Exact", "/foo", "/foo/", False),
        ("Exact", "/foo/", "/foo", False),
        ("Prefix", "/foo", "/foo", True),
        ("Prefix", "/foo", "/foo/", True),
        ("Prefix", "/foo/", "/foo", True),
        ("Prefix", "/foo/", "/foo/", True),
        ("Prefix", "/aaa/bb", "/aaa/bbb", False),
        ("Prefix", "/aaa/bbb", "/aaa/bbb", True),
        ("Prefix", "/aaa/bbb/", "/aaa/bbb", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", False),
    ],
)
def test_the_table_of_the_documents(kind: str, value: str, asked: str, *, served: bool) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#examples."""
    world = World([ingress("one", ("a.com", [path(value, kind=kind)]))])
    assert (read_tables(world.plan().content.tables, "a.com", asked) is not None) is served


@pytest.mark.parametrize(
    ("host", "served"),
    [("bar.foo.com", True), ("baz.bar.foo.com", False), ("foo.com", False)],
)
def test_a_wildcard_is_one_label(host: str, *, served: bool) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards."""
    world = World([ingress("one", ("*.foo.com", [path("/")]))])
    assert (read_tables(world.plan().content.tables, host, "/") is not None) is served


def test_of_two_for_the_same_the_older_is_followed() -> None:
    """The younger one's author is told whose it is."""
    young = ingress("young", ("a.com", [path("/x", "new"), path("/y", "new")]), age=9)
    world = World([young, ingress("old", ("a.com", [path("/x")]))], services=[service(), service("new")])
    tables = world.plan().content.tables
    assert [read_tables(tables, "a.com", asked).target.service for asked in ("/x", "/y")] == ["web", "new"]  # type: ignore[union-attr]
    assert _said(world) == ["young Conflict: a.com/x is served by shop/old already: the older is followed"]


def test_a_certificate_is_shown_to_its_hosts() -> None:
    """By the list that HAProxy reads; the oldest Ingress' counts where two have one for a host."""
    tls = [{"hosts": ["a.com", "*.a.com"], "secretName": "cert"}]
    world = World([ingress("one", ("a.com", [path("/")]), tls=tls)], secrets=[tls_secret(PAIR)])
    files = _render(world).files
    assert files["certs.list"] == b"shop_cert.pem *.a.com a.com\n"
    assert files["shop_cert.pem"] == b"".join(PAIR)
    second = ingress("two", ("a.com", [path("/z")]), tls=[{"hosts": ["a.com"], "secretName": "other"}], age=1)
    world.ingresses.append(second)
    world.secrets.append(tls_secret(certificate("a.com"), "other"))
    assert _render(world).files["certs.list"] == b"shop_cert.pem *.a.com a.com\n"
    assert _said(world) == [
        "two Conflict: a.com has the certificate of Secret shop/cert already: the older is followed"
    ]


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (None, "there is no Secret shop/cert of the type kubernetes.io/tls"),
        ((b"", b""), "Secret shop/cert cannot be used: it has no tls.crt"),
        (
            (PAIR[0], b"no key"),
            "Secret shop/cert cannot be used: tls.key holds no key in PEM that is not encrypted",
        ),
        ((b"none", PAIR[1]), "Secret shop/cert cannot be used: tls.crt holds no certificate in PEM"),
        (
            (PAIR[0], certificate("a.com")[1]),
            "Secret shop/cert cannot be used: tls.key is not the key of the first certificate of tls.crt",
        ),
    ],
    ids=["missing", "empty", "no key", "no certificate", "another's key"],
)
def test_a_host_without_a_certificate_keeps_the_default_one(
    pair: tuple[bytes, bytes] | None, said: str
) -> None:
    """The host is served all the same, and its author told."""
    tls = [{"hosts": ["a.com"], "secretName": "cert"}]
    secrets = [tls_secret(pair)] if pair else []
    world = World([ingress("one", ("a.com", [path("/")]), tls=tls)], secrets=secrets)
    assert _render(world).files["certs.list"] == b""
    assert read_tables(world.plan().content.tables, "a.com", "/") is not None
    assert _said(world) == [f"one BadCertificate: {said}: a.com are shown a certificate that nobody trusts"]


def test_what_becomes_of_requests() -> None:
    """A redirection, a limit and another path stand in a backend of their own."""
    annotations = {NGINX + "proxy-body-size": "1k", NGINX + "rewrite-target": "/100%25/$2"}
    pattern = path("/it's(/|$)(.*)", kind="ImplementationSpecific")
    tls = [{"hosts": ["a.com"], "secretName": "cert"}]
    main = _main(World([ingress("one", ("a.com", [pattern]), annotations=annotations, tls=tls)]))
    section = re.search(r"backend shop\.web\.80\.\w{10}\n((?:  .*\n)+)", main)
    assert section is not None
    assert section[1].splitlines()[:5] == [
        "  http-request redirect location 'https://%[var(txn.host)]%[pathq]' code 308 unless { ssl_fc }",
        "  filter lua.body-limit 1024",
        "  http-request deny deny_status 413 if { req.body_size gt 1024 }",
        "  http-after-response set-status 413 if { var(txn.body_refused) -m found }",
        r"  http-request replace-path '(?i)^/it'\''s(/|$)(.*)' '/100%%25/\2'",
    ]
    assert "\n  acl pattern-1 var(txn.path) -m reg -i -- '^/it'\\''s(/|$)(.*)'\n" in main
    assert "\n  lua-load body-limit.lua\n" in main


def test_bodies_are_counted_where_they_are_limited_alone() -> None:
    """A proxy without Lua does for everything else."""
    unlimited = _render(World([ingress("one", ("a.com", [path("/")]))]))
    assert not [name for name in unlimited.files if name.endswith(".lua")]
    assert b"lua" not in unlimited.files[MAIN]


def test_what_the_proxy_refuses_is_left_out() -> None:
    """The others are followed; its author is told what the proxy says."""
    bad = ingress(
        "bad",
        ("b.com", [path("/(", kind="ImplementationSpecific")]),
        annotations={NGINX + "use-regex": "true"},
    )
    world = World([bad, ingress("good", ("a.com", [path("/")]))])
    found = _render(world)
    [line] = [
        number for number, text in enumerate(found.files[MAIN].decode().splitlines()) if " acl " in text
    ]
    owner = found.blame(f"[ALERT] config : parsing [/run/x/haproxy.cfg:{line + 1}] : error")
    assert owner == Owner("Ingress", "shop", "bad", "2026-01-01T00:00:00Z")
    plan = world.plan({owner: "error"})
    assert plan.content.tables.hosts == {"a.com"}
    assert "Rejected" in {each.reason for each in plan.problems}


def test_a_refused_secret_is_known_by_its_file() -> None:
    """So that its hosts alone go without."""
    tls = [{"hosts": ["a.com"], "secretName": "cert"}]
    world = World([ingress("one", ("a.com", [path("/")]), tls=tls)], secrets=[tls_secret(PAIR)])
    owner = _render(world).blame(
        "[ALERT] config : 'bind :::443' : unable to load 'certs.list' 'shop_cert.pem'"
    )
    assert owner == Owner("Secret", "shop", "cert")
    assert world.plan({owner: "too small"}).content.certified == {}


def test_only_ready_endpoints_are_served_from() -> None:
    """Of the port by its number or its name, in order; an unknown readiness counts as ready."""
    found = [
        endpoint_slice(endpoint("10.244.0.2", ready=None), "10.244.0.1", endpoint("10.244.0.3", ready=False))
    ]
    for port in ("80", "http"):
        assert servers_of(Target("shop", "web", port), service(), found) == (A, B)
    assert servers_of(Target("shop", "web", "81"), service(), found) == ()
    assert servers_of(Target("shop", "web", "80"), None, found) == ()


@pytest.mark.parametrize(
    ("found", "port", "said"),
    [
        (None, "80", "Service shop/web does not exist"),
        (service(), "81", "Service shop/web has no port 81"),
        (
            changed(service(), spec__type="ExternalName"),
            "80",
            "Service shop/web is of the type ExternalName, which has no endpoints",
        ),
        (service(), "http", ""),
    ],
    ids=["none", "no port", "alias", "there"],
)
def test_why_there_is_nobody(found: Service | None, port: str, said: str) -> None:
    """For the author of a rule."""
    assert why_not(Target("shop", "web", port), found) == said


def test_endpoints_keep_their_places() -> None:
    """Those that come take free ones; there are four, and twice as many where that is not enough; they are never fewer."""
    first = place((), [A, B])
    assert first == (A, B, None, None)
    assert place(first, [B, C]) == (C, B, None, None)
    more = place(first, [A, B, C, D, E])
    assert more == (A, B, C, D, E, None, None, None)
    assert place(more, [E]) == (None, None, None, None, E, None, None, None)


def test_the_version_knows_places_but_not_who_is_in_them() -> None:
    """So that endpoints come and go without a new configuration."""
    world = World([ingress("one", ("a.com", [path("/")]))], slices=[endpoint_slice("10.244.0.1")])
    first = _render(world)
    assert "  server s1 10.244.0.1:8080\n  server s2 127.0.0.1:1 disabled\n" in first.files[MAIN].decode()
    world.slices = [endpoint_slice("10.244.0.9")]
    assert _render(world).version == first.version
    world.slices = [endpoint_slice(*(f"10.244.0.{number}" for number in range(1, 6)))]
    assert _render(world).version != first.version
    world.ingresses = [ingress("one", ("b.com", [path("/")]))]
    assert _render(world).version != first.version


def test_where_ingresses_are_reached() -> None:
    """At the load balancer's addresses, or inside of the cluster where there is none; who says so already is left alone."""
    balanced = changed(service(), spec__type="LoadBalancer")
    assert addresses_of(balanced) == ()
    assert addresses_of(None) == ()
    assert addresses_of(service()) == (IngressLoadBalancerIngress(ip="10.96.0.7"),)
    one = ingress("one", ("a.com", [path("/")]))
    assert out_of_date([one], ()) == []
    assert out_of_date([one], addresses_of(service())) == [one]
