"""Plugins that are on only where an administrator says so.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

import pytest

from apiserver.core.admission import Attributes, Settings, chosen, make_chain
from apiserver.core.admission.chain import OFF_BY_DEFAULT, UNBUILT
from apiserver.core.admission.event_rates import Limit, limiting
from apiserver.core.values import Json
from apiserver.request import UserInfo
from machinery.model.errors import Forbidden, NotFound, TooManyRequests
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


NAMESPACE = ("", "namespaces", "", "default")
GPU = {"key": "gpu", "operator": "Exists"}
PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}
BUSY = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
SELECTOR = "scheduler.alpha.kubernetes.io/node-selector"
DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
ALLOWED = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
OF_THE_CLUSTER = Settings(
    node_selectors={"clusterDefaultNodeSelector": "zone=a", "default": "zone=a,disk=ssd"},
    default_tolerations=(GPU,),
    allowed_tolerations=(GPU, PRESSURE),
)


def in_namespace(
    name: str, spec: Json, annotations: Json, settings: Settings, old: Json | None = None
) -> Json:
    """Run both stages of one plugin in a namespace with annotations; returns the spec."""
    chain = make_chain({name})
    attributes = Attributes(UserInfo("alice"), "update" if old else "create", served.PODS, "", "default", "x")
    obj = {"metadata": {"name": "x"}, "spec": spec}
    before = {"metadata": {"name": "x"}, "spec": old} if old else None
    assert chain.needs(attributes, obj, before) in {(), (NAMESPACE,)}
    looked_up = {NAMESPACE: {"metadata": {"name": "default", "annotations": annotations}}}
    made = chain.admit(attributes, obj, before, looked_up, settings)
    chain.validate(attributes, made, before, looked_up, settings)
    return dict(made["spec"])


@pytest.mark.parametrize(
    ("name", "annotations", "settings", "spec", "expected"),
    [
        ("PodNodeSelector", {SELECTOR: "zone=b, disk=ssd"}, Settings(), {"nodeSelector": {"a": "b"}}, {"nodeSelector": {"zone": "b", "disk": "ssd", "a": "b"}}),
        ("PodNodeSelector", {}, OF_THE_CLUSTER, {}, {"nodeSelector": {"zone": "a"}}),
        ("PodNodeSelector", {SELECTOR: ""}, OF_THE_CLUSTER, {}, {}),
        ("PodNodeSelector", {}, OF_THE_CLUSTER, {"nodeSelector": {"zone": "b"}}, "pod node label selector conflicts with its namespace node label selector"),
        ("PodNodeSelector", {}, OF_THE_CLUSTER, {"nodeSelector": {"rack": "1"}}, "pod node label selector labels conflict with its namespace whitelist"),
        ("PodNodeSelector", {SELECTOR: "a=b=c"}, Settings(), {}, "invalid selector: [a b c]"),
        ("PodTolerationRestriction", {DEFAULTS: '[{"key":"gpu","operator":"Exists"}]'}, Settings(), {}, {"tolerations": [GPU]}),
        ("PodTolerationRestriction", {}, OF_THE_CLUSTER, BUSY, {**BUSY, "tolerations": [GPU, PRESSURE]}),
        ("PodTolerationRestriction", {DEFAULTS: ""}, OF_THE_CLUSTER, {}, {}),
        ("PodTolerationRestriction", {}, OF_THE_CLUSTER, {"tolerations": [{"operator": "Exists"}]}, "pod tolerations (possibly merged with namespace default tolerations) conflict with its cluster whitelist"),
        ("PodTolerationRestriction", {ALLOWED: '[{"key":"disk","operator":"Exists"}]'}, Settings(), {"tolerations": [GPU]}, "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"),
        ("PodTolerationRestriction", {DEFAULTS: "{}"}, Settings(), {}, f"the annotation {DEFAULTS} of its namespace is no list of tolerations: Expected `array`, got `object`"),
    ],
)  # fmt: skip
def test_a_namespace_says_where_its_pods_go(
    name: str, annotations: Json, settings: Settings, spec: Json, expected: Json | str
) -> None:
    """By its annotations, else by the configuration of the whole cluster; a conflict is refused in Kubernetes' words."""
    if not isinstance(expected, str):
        assert in_namespace(name, spec, annotations, settings) == expected
        return
    with pytest.raises(Forbidden) as caught:
        in_namespace(name, spec, annotations, settings)
    assert caught.value.message == f'pods "x" is forbidden: {expected}'


def test_only_a_new_pod_takes_defaults() -> None:
    """An update keeps what the pod has; what is allowed is checked again."""
    assert in_namespace("PodNodeSelector", {}, {SELECTOR: "a=b"}, Settings(), old={"x": 1}) == {}
    assert in_namespace("PodTolerationRestriction", {}, {}, OF_THE_CLUSTER, old={"x": 1}) == {}
    with pytest.raises(Forbidden, match="conflict with its cluster whitelist"):
        in_namespace("PodTolerationRestriction", {"tolerations": [{"operator": "Exists"}]}, {}, OF_THE_CLUSTER, old={"x": 1})  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        ("Server", ["", "", "", ""]),
        ("Namespace", ["n1", "n1", "n2", "n1"]),
        ("User", ["u1", "u2", "u1", "u1"]),
        ("SourceAndObject", ["kubeletPodp", "kubeletPodp", "kubeletPodp", "kubeletPodq"]),
    ],
)
def test_events_overflow_their_bucket_and_it_fills_again(type_: str, keys: list[str]) -> None:
    """One bucket for each key that the limit is about; a second later one more is taken."""
    now_s = 0.0
    chain = make_chain({"EventRateLimit"}, configured=[limiting([Limit(type_, 1, 1)], lambda: now_s)])
    sent = [("u1", "n1", "p"), ("u2", "n1", "p"), ("u1", "n2", "p"), ("u1", "n1", "q")]

    def refused(user: str, namespace: str, name: str) -> str:
        event = {"source": {"component": "kubelet"}, "involvedObject": {"kind": "Pod", "name": name}}
        attributes = Attributes(UserInfo(user), "create", served.EVENTS, "", namespace)
        try:
            chain.validate(attributes, event, None, {}, Settings())
        except TooManyRequests as error:
            return error.message
        return ""

    said = [refused(*each) for each in sent]
    expected = [
        f"Too many requests: limit reached on type {type_} for key {key}" if key in keys[:index] else ""
        for index, key in enumerate(keys)
    ]
    assert said == expected
    now_s = 1.0
    assert refused(*sent[0]) == ""


def test_a_bucket_that_is_forgotten_is_full_again() -> None:
    """As many are remembered as the limit says, those of the last events."""
    chain = make_chain({"EventRateLimit"}, configured=[limiting([Limit("User", 1, 1, 1)], lambda: 0.0)])
    for user in ("a", "b", "a"):
        chain.validate(Attributes(UserInfo(user), "create", served.EVENTS, "", "n"), {}, None, {}, Settings())


def test_a_namespace_has_to_exist_for_every_write() -> None:
    """NamespaceExists asks about deletions, too."""
    chain = make_chain({"NamespaceExists"})
    attributes = Attributes(UserInfo("alice"), "delete", served.PODS, "", "default", "x")
    assert chain.needs(attributes, None, {}) == (NAMESPACE,)
    chain.admit_delete(attributes, {}, {NAMESPACE: {}})
    for refuse in (
        lambda: chain.admit_delete(attributes, {}, {NAMESPACE: None}),
        lambda: chain.validate(attributes, {}, None, {NAMESPACE: None}, Settings()),
    ):
        with pytest.raises(NotFound, match='namespaces "default" not found'):
            refuse()


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
