"""Plugins that are on only where an administrator says so.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

import pytest

from apiserver.core.admission import Attributes, Settings, chosen, make_chain
from apiserver.core.admission.chain import OFF_BY_DEFAULT, UNBUILT
from apiserver.core.values import Json
from apiserver.request import UserInfo
from machinery.model.errors import Forbidden
from machinery.model.k8s import served
from machinery.model.kinds import KindNames

CONTAINER = {"name": "c", "image": "i", "imagePullPolicy": "IfNotPresent"}
DEVICE = {"resources": {"requests": {"example.com/gpu": "1", "cpu": "1"}}}
TOLERATION = {"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def apart(key: str) -> Json:
    term = {"topologyKey": key, "labelSelector": {}}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def admitted(
    name: str, spec: Json, old: Json | None = None, kind: KindNames = served.PODS, subresource: str = ""
) -> Json:
    """Run both stages of one plugin; returns the spec."""
    chain = make_chain({name})
    verb = "create" if old is None else "update"
    attributes = Attributes(UserInfo("alice"), verb, kind, subresource, "default", "x")
    obj, before = ({"metadata": {"name": "x"}, "spec": each} for each in (spec, old or {}))
    given = (attributes, obj, None if old is None else before, {}, Settings())
    made = chain.admit(*given)
    chain.validate(attributes, made, given[2], {}, Settings())
    return dict(made["spec"])


@pytest.mark.parametrize(
    ("name", "spec", "old", "expected"),
    [
        ("AlwaysPullImages", {"containers": [CONTAINER], "initContainers": [CONTAINER]}, None, {"containers": [{**CONTAINER, "imagePullPolicy": "Always"}], "initContainers": [{**CONTAINER, "imagePullPolicy": "Always"}]}),
        ("AlwaysPullImages", {"containers": [], "volumes": [{"name": "v", "image": {"reference": "r"}}, {"name": "w"}]}, None, {"containers": [], "volumes": [{"name": "v", "image": {"reference": "r", "pullPolicy": "Always"}}, {"name": "w"}]}),
        ("AlwaysPullImages", {"containers": [CONTAINER]}, {"containers": [CONTAINER]}, {"containers": [CONTAINER]}),
        ("ExtendedResourceToleration", {"containers": [{**CONTAINER, **DEVICE}]}, None, {"containers": [{**CONTAINER, **DEVICE}], "tolerations": [TOLERATION]}),
        ("ExtendedResourceToleration", {"containers": [{**CONTAINER, **DEVICE}], "tolerations": [TOLERATION]}, None, {"containers": [{**CONTAINER, **DEVICE}], "tolerations": [TOLERATION]}),
        ("LimitPodHardAntiAffinityTopology", apart("kubernetes.io/hostname"), None, apart("kubernetes.io/hostname")),
    ],
)  # fmt: skip
def test_a_plugin_changes_pods_where_it_is_on(
    name: str, spec: Json, old: Json | None, expected: Json
) -> None:
    """An update without new images pulls nothing more; a toleration that is there is not added."""
    assert admitted(name, spec, old) == expected


@pytest.mark.parametrize(
    ("kind", "name", "spec", "old", "refusal"),
    [
        (served.PODS, "LimitPodHardAntiAffinityTopology", apart("zone"), None, "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed"),
        (served.SERVICES, "DenyServiceExternalIPs", {"externalIPs": ["1.1.1.1"]}, None, "Use of external IPs is denied by admission control"),
        (served.SERVICES, "DenyServiceExternalIPs", {"externalIPs": ["1.1.1.1", "1.1.1.2"]}, {"externalIPs": ["1.1.1.1"]}, "Use of external IPs is denied by admission control"),
        (served.SERVICES, "DenyServiceExternalIPs", {"externalIPs": ["1.1.1.1"]}, {"externalIPs": ["1.1.1.2", "1.1.1.1"]}, ""),
        (served.SERVICES, "DenyServiceExternalIPs", {}, None, ""),
    ],
)  # fmt: skip
def test_a_plugin_refuses_where_it_is_on(
    kind: KindNames, name: str, spec: Json, old: Json | None, refusal: str
) -> None:
    """In Kubernetes' words; what was there already may stay."""
    if not refusal:
        assert admitted(name, spec, old, kind) == spec
        return
    with pytest.raises(Forbidden) as caught:
        admitted(name, spec, old, kind)
    assert caught.value.message == f'{kind.group_resource} "x" is forbidden: {refusal}'


def test_what_another_changed_after_it_is_refused() -> None:
    """AlwaysPullImages looks once more at what is to be stored."""
    attributes = Attributes(UserInfo("alice"), "create", served.PODS, "", "default", "x")
    with pytest.raises(
        Forbidden, match=r'spec\.containers\[0\]\.imagePullPolicy: Unsupported value: "IfNotPresent"'
    ):
        make_chain({"AlwaysPullImages"}).validate(
            attributes, {"spec": {"containers": [CONTAINER]}}, None, {}, Settings()
        )


@pytest.mark.parametrize("name", sorted(UNBUILT))
def test_what_is_not_built_says_so(name: str) -> None:
    """It may be named among those that are off."""
    with pytest.raises(ValueError, match=f"the admission plugin '{name}' is not built"):
        chosen(enabled=[name])
    assert chosen(disabled=[name]) == chosen()


def test_optional_plugins_are_off() -> None:
    """Until they are enabled."""
    assert not OFF_BY_DEFAULT & chosen()
    assert chosen(enabled=OFF_BY_DEFAULT) >= OFF_BY_DEFAULT
