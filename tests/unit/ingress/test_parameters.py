"""What a class wants for all of its Ingresses, and what is said of parameters that cannot be followed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ingress.core.annotations import Wishes
from ingress.core.parameters import Parameters, SettingsView, read_parameters
from ingress.core.rules import Options, Owner
from machinery.model.k8s.core_v1 import ConfigMap
from tests.support.builders import meta
from tests.support.ingress import NGINX, World, ingress, ingress_class, path, read_tables, settings_of

OWN = "edge-system"
IGNORED = "{}: it is ignored"


def view(
    data: Mapping[str, str] | None = None, *, is_known: bool = True, namespace: str = OWN
) -> SettingsView:
    """Return what is seen where there is one ConfigMap, `settings`, or none."""
    found = None if data is None else ConfigMap(metadata=meta("settings", OWN), data=dict(data))
    return SettingsView(namespace, lambda name: found if name == "settings" else None, lambda: is_known)


def test_settings_of_a_class_are_what_its_annotations_are() -> None:
    """By the same names, with the same meaning."""
    data = {"ssl-redirect": "false", "force-ssl-redirect": "true", "proxy-body-size": "8m"}
    found = read_parameters(ingress_class(parameters=settings_of()), view(data))
    assert found == Parameters(Wishes(redirects_to_tls=False, always_redirects=True, most_body_bytes=8 << 20))
    assert read_parameters(ingress_class(), view(data)) == Parameters()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (
            {"proxy-body-size": "much"},
            "key proxy-body-size: has to be a number of bytes, as 8m, not 'much'; it is ignored",
        ),
        ({"rewrite-target": "/x"}, "key rewrite-target is not supported: it is ignored"),
        ({"worker-processes": "4"}, "key worker-processes is not supported: it is ignored"),
    ],
)
def test_a_setting_that_means_nothing_is_complained_about(data: dict[str, str], complaint: str) -> None:
    """By its key; the others are followed."""
    found = read_parameters(ingress_class(parameters=settings_of()), view({**data, "ssl-redirect": "false"}))
    assert found.wishes == Wishes(redirects_to_tls=False)
    assert found.complaints == (f"ConfigMap {OWN}/settings: {complaint}",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"kind": "Edge", "apiGroup": "example.com"},
            "(Edge settings) is not supported, only a ConfigMap is",
        ),
        ({"apiGroup": "example.com"}, "(ConfigMap settings) is not supported, only a ConfigMap is"),
        ({"namespace": "shop"}, f"(ConfigMap settings) has to be of scope Namespace, in the namespace {OWN}"),
        (
            {"scope": "Cluster", "namespace": ""},
            f"(ConfigMap settings) has to be of scope Namespace, in the namespace {OWN}",
        ),
    ],
)
def test_parameters_that_are_no_settings_are_ignored(changes: dict[str, str], why: str) -> None:
    """With a complaint that says what they have to be."""
    parameters = {**settings_of(), **changes}
    found = read_parameters(ingress_class(parameters=parameters), view({"ssl-redirect": "false"}))
    assert found == Parameters(complaints=(IGNORED.format(f"spec.parameters {why}"),))


def test_settings_that_are_not_there() -> None:
    """A complaint, once it is known that they are not; without a namespace of its own the controller reads none."""
    class_ = ingress_class(parameters=settings_of())
    missing = f"there is no ConfigMap {OWN}/settings: Ingresses of the class have their annotations alone"
    assert read_parameters(class_, view()).complaints == (f"spec.parameters: {missing}",)
    assert read_parameters(class_, view(is_known=False)) == Parameters()
    [homeless] = read_parameters(class_, view({}, namespace="")).complaints
    assert "--publish-service" in homeless


def test_an_ingress_annotation_goes_before_its_class_setting() -> None:
    """What an Ingress does not say comes from its class, and from no other class."""
    tls = [{"hosts": ["a.com", "b.com", "c.com"], "secretName": "none"}]
    world = World(
        [
            ingress("plain", ("a.com", [path("/")]), tls=tls),
            ingress(
                "own",
                ("b.com", [path("/")]),
                tls=tls,
                annotations={NGINX + "ssl-redirect": "true", NGINX + "proxy-body-size": "0"},
            ),
            ingress("other", ("c.com", [path("/")]), class_name="other", tls=tls),
        ],
        classes=[ingress_class(parameters=settings_of()), ingress_class("other")],
        settings=view({"ssl-redirect": "false", "proxy-body-size": "1k", "nonsense": ""}),
    )
    found = world.plan()

    def options(host: str) -> Options:
        rule = read_tables(found.content.tables, host, "/")
        assert rule is not None
        return rule.options

    assert options("a.com") == Options(redirects_to_tls=False, most_body_bytes=1024, rewrite=None)
    assert options("b.com") == Options(redirects_to_tls=True, most_body_bytes=0, rewrite=None)
    assert options("c.com") == Options(redirects_to_tls=True, most_body_bytes=0, rewrite=None)
    of_class = [each for each in found.problems if each.owner == Owner("IngressClass", "", "edge")]
    assert [(each.reason, each.message) for each in of_class] == [
        ("UnsupportedParameters", f"ConfigMap {OWN}/settings: key nonsense is not supported: it is ignored")
    ]
