"""What an Ingress wants, and what of it cannot be followed."""

from __future__ import annotations

from typing import Any

import pytest

from ingress.core.annotations import Wishes, read_annotations
from ingress.core.classes import class_of, is_ours
from ingress.core.ingresses import read_ingress
from ingress.core.rules import NO_OPTIONS, Options, Path, PathKind, Rewrite, Target
from machinery.model.k8s.networking_v1 import Ingress
from tests.support.ingress import NGINX, ingress, ingress_class, path

WEB = Target("shop", "web", "80")


def _problems(one: Ingress) -> list[str]:
    return [f"{each.reason}: {each.message}" for each in read_ingress(one).problems]


@pytest.mark.parametrize(
    ("field", "annotation", "name"),
    [("edge", "", "edge"), ("", "edge", "edge"), ("edge", "other", "edge"), ("", "", "")],
)
def test_the_class_stands_in_the_field_or_in_the_annotation(field: str, annotation: str, name: str) -> None:
    """The field goes before the annotation."""
    annotations = {"kubernetes.io/ingress.class": annotation} if annotation else {}
    assert class_of(ingress(class_name=field, annotations=annotations)) == name


@pytest.mark.parametrize(
    ("class_name", "ours"), [("edge", True), ("other", False), ("missing", False), ("", False)]
)
def test_an_ingress_is_ours_by_its_class_alone(class_name: str, *, ours: bool) -> None:
    """One without a class, or with one that is not there, is left alone, whatever class is the default."""
    classes = {"edge": ingress_class(), "other": ingress_class("other", "example.com/other")}
    assert is_ours(ingress(class_name=class_name), classes.get, "kubarium.dev/ingress") is ours


def test_an_ingress_in_full() -> None:
    """Each path is a rule; a prefix has no slash at its end; ImplementationSpecific is as Prefix; the host's case is nothing."""
    paths = [
        path("/"),
        path("/a/"),
        path("/a", kind="Exact"),
        path("/b", "api", "ImplementationSpecific", "http"),
    ]
    found = read_ingress(ingress("one", ("A.com", paths)))
    assert [(rule.host, rule.path, rule.target, rule.options) for rule in found.rules] == [
        ("a.com", Path(PathKind.PREFIX, ""), WEB, NO_OPTIONS),
        ("a.com", Path(PathKind.PREFIX, "/a"), WEB, NO_OPTIONS),
        ("a.com", Path(PathKind.EXACT, "/a"), WEB, NO_OPTIONS),
        ("a.com", Path(PathKind.PREFIX, "/b"), Target("shop", "api", "http"), NO_OPTIONS),
    ]
    assert found.problems == ()


def test_a_default_backend_serves_the_hosts_and_everything_else() -> None:
    """It is a rule for each host of the Ingress, and one for the hosts that nobody names, all of the last resort."""
    one = ingress("one", ("a.com", [path("/a")]), defaultBackend=path("/", "other")["backend"])
    defaults = [rule for rule in read_ingress(one).rules if rule.is_default]
    assert [(rule.host, rule.target.service) for rule in defaults] == [("a.com", "other"), ("", "other")]


@pytest.mark.parametrize(
    ("tls", "certified"),
    [
        ([{"hosts": ["A.com", "b.com"], "secretName": "s"}], [("a.com", "s"), ("b.com", "s")]),
        ([{"secretName": "s"}], [("a.com", "s"), ("*.a.com", "s")]),
        ([{"hosts": ["a b"], "secretName": "s"}], []),
    ],
    ids=["named", "those of the rules", "no host"],
)
def test_which_hosts_a_certificate_is_for(tls: list[Any], certified: list[tuple[str, str]]) -> None:
    """Those that the entry names; an entry that names none is about the hosts of the rules."""
    one = ingress("one", ("a.com", [path("/")]), ("*.a.com", [path("/")]), tls=tls)
    assert list(read_ingress(one).certified) == certified


@pytest.mark.parametrize(
    ("annotations", "redirected"),
    [
        ({}, [True, True, False]),
        ({"ssl-redirect": "false"}, [False, False, False]),
        ({"force-ssl-redirect": "true"}, [True, True, True]),
    ],
    ids=["by default", "not", "always"],
)
def test_hosts_with_a_certificate_send_to_https(annotations: dict[str, str], redirected: list[bool]) -> None:
    """As ingress-nginx has it: by default those that the TLS section covers, a wildcard's among them."""
    hosts = ("a.com", "x.b.com", "c.com")
    one = ingress(
        "one",
        *((host, [path("/")]) for host in hosts),
        annotations={NGINX + key: value for key, value in annotations.items()},
        tls=[{"hosts": ["a.com", "*.b.com"], "secretName": "s"}],
    )
    assert [rule.options.redirects_to_tls for rule in read_ingress(one).rules] == redirected


@pytest.mark.parametrize(
    ("one", "kind", "rewrite"),
    [
        (
            path("/old(/|$)(.*)", kind="ImplementationSpecific"),
            PathKind.REGEX,
            Rewrite("/old(/|$)(.*)", "/new/$2"),
        ),
        (path("/old"), PathKind.PREFIX, Rewrite("", "/new/")),
        (path("/old", kind="Exact"), PathKind.EXACT, Rewrite("", "/new/")),
        (path("/old", kind="ImplementationSpecific"), PathKind.PREFIX, Rewrite("", "/new/")),
    ],
    ids=["expression", "prefix", "exact", "plain"],
)
def test_a_path_is_rewritten(one: dict[str, Any], kind: PathKind, rewrite: Rewrite) -> None:
    """With groups where the path is an expression, else to what is left of the target without them."""
    found = read_ingress(ingress("one", ("a.com", [one]), annotations={NGINX + "rewrite-target": "/new/$2"}))
    assert [(rule.path.kind, rule.options) for rule in found.rules] == [(kind, Options(rewrite=rewrite))]
    assert found.problems == ()


def test_an_expression_is_none_where_its_type_says_otherwise() -> None:
    """Its author is told."""
    one = ingress("one", ("a.com", [path("/a(.*)")]), annotations={NGINX + "rewrite-target": "/$1"})
    assert [rule.path for rule in read_ingress(one).rules] == [Path(PathKind.PREFIX, "/a(.*)")]
    [said] = _problems(one)
    assert "those are of the type ImplementationSpecific" in said


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            ingress(
                "one", ("a.com", [{**path("/"), "backend": {"resource": {"kind": "Bucket", "name": "b"}}}])
            ),
            "UnsupportedBackend: path /: the backend is Bucket b; only Services can be backends here, so that nothing is served",
        ),
        (ingress("one", ("a b", [path("/")])), "BadHost: 'a b' is not a host"),
        (ingress("one", ("a.com", [path("/a b")])), "BadPath: path '/a b' is in no request"),
        (ingress("one", ("a.com", [path("/é")])), "BadPath: path '/é' is in no request"),
        (ingress("one", ("a.com", [path("/", "a b")])), "UnsupportedBackend: path /: 'a b' with that port"),
    ],
    ids=["resource", "host", "blank", "not ASCII", "service"],
)
def test_what_cannot_be_followed_is_told_and_left_out(one: Ingress, said: str) -> None:
    """The message names the field's content and says what becomes of it."""
    assert read_ingress(one).rules == ()
    [problem] = _problems(one)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("key", "value", "wishes"),
    [
        ("proxy-body-size", "50m", Wishes(most_body_bytes=50 * 1024 * 1024)),
        ("proxy-body-size", "8K", Wishes(most_body_bytes=8192)),
        ("proxy-body-size", "10", Wishes(most_body_bytes=10)),
        ("proxy-body-size", "0", Wishes()),
        ("ssl-redirect", "false", Wishes(redirects_to_tls=False)),
        ("use-regex", "true", Wishes(has_patterns=True)),
        ("rewrite-target", "/a%20b/$1?", None),
        ("rewrite-target", "/a%20b/$1", Wishes(rewrite_target="/a%20b/$1")),
        ("rewrite-target", "/$0", None),
        ("rewrite-target", "no/slash", None),
        ("proxy-body-size", "50 MB", None),
        ("ssl-redirect", "yes", None),
        ("server-snippet", "return 200;", None),
    ],
)
def test_annotations(key: str, value: str, wishes: Wishes | None) -> None:
    """What they mean; one that means nothing changes nothing, and is complained about by its name."""
    found, complaints = read_annotations(
        {NGINX + key: value, "cert-manager.io/cluster-issuer": "letsencrypt"}
    )
    assert found == (wishes or Wishes())
    assert len(complaints) == (wishes is None)
    assert all(f"annotation {NGINX}{key}" in each for each in complaints)
