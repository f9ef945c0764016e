"""Rules of single kinds: what a Secret or a Service is refused for, and what an update takes away from it."""

from __future__ import annotations

import msgspec
import pytest

from apiserver.core.kinds import KINDS, namespaces, services
from apiserver.core.values import Json
from machinery.model.errors import Invalid
from tests.support.apiserver import service
from tests.support.pod_specs import complaints, created, read, update_complaints, updated, with_status

ADDRESS = "10.96.0.77"


def _secret(type_: str, **data: str) -> Json:
    return {"metadata": {"name": "s", "namespace": "default"}, "type": type_, "data": data}


@pytest.mark.parametrize("type_", ["kubernetes.io/dockerfoo", "kubernetes.io/docker", "example.com/anything"])
def test_a_secret_may_be_of_a_type_that_nobody_knows(type_: str) -> None:
    """Only the types that Kubernetes defines have keys that they need."""
    assert complaints(_secret(type_, key="dmFsdWU="), "secrets") == []


@pytest.mark.parametrize(
    ("type_", "key"),
    [
        ("kubernetes.io/dockercfg", ".dockercfg"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
    ],
)
def test_a_secret_for_a_registry_holds_json(type_: str, key: str) -> None:
    """Its key has to be there, and what it holds is read."""
    assert complaints(_secret(type_), "secrets") == [f"data[{key}]: Required value"]
    [faulty] = complaints(_secret(type_, **{key: "eA=="}), "secrets")
    assert faulty.startswith(f"data[{key}]: Invalid value")
    [faulty] = complaints(_secret(type_, **{key: "W10="}), "secrets")
    assert faulty.endswith("it has to be a JSON object")
    assert complaints(_secret(type_, **{key: "e30="}), "secrets") == []


@pytest.mark.parametrize(
    ("plural", "role", "found"),
    [
        ("rolebindings", "Role", []),
        ("clusterrolebindings", "ClusterRole", ["subjects[0].namespace: Required value"]),
    ],
)
def test_a_service_account_is_of_the_bindings_namespace(plural: str, role: str, found: list[str]) -> None:
    """Where it names none; a binding of the whole cluster has none."""
    group = "rbac.authorization.k8s.io"
    meta = {"name": "b", "namespace": "default"} if plural == "rolebindings" else {"name": "b"}
    subject = {"kind": "ServiceAccount", "name": "a"}
    binding = {
        "metadata": meta,
        "roleRef": {"apiGroup": group, "kind": role, "name": "r"},
        "subjects": [subject],
    }
    assert complaints(binding, plural, group) == found


def test_a_private_key_is_not_empty() -> None:
    """Other types need their keys only to be there."""
    needed = ["data[ssh-privatekey]: Required value"]
    assert complaints(_secret("kubernetes.io/ssh-auth", **{"ssh-privatekey": ""}), "secrets") == needed
    pair = {"tls.crt": "", "tls.key": ""}
    assert complaints(_secret("kubernetes.io/tls", **pair), "secrets") == []


def test_a_service_asks_for_no_address_of_a_family_that_is_not_there() -> None:
    """The cluster has IPv4 addresses only."""
    assert complaints(service(clusterIP="fd00::1"), "services") == [
        'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster'
    ]


def _with_ingress(obj: Json, *ingress: Json) -> Json:
    return {**obj, "status": {"loadBalancer": {"ingress": list(ingress)}}}


def _stored(type_: str) -> Json:
    obj = created(service(type=type_, clusterIP=ADDRESS), "services")
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": "1"}}


def test_only_a_load_balancer_has_an_ingress() -> None:
    """Its addresses are virtual ones, unless they say otherwise."""
    balanced = _with_ingress(
        service(type="LoadBalancer"), {"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}
    )
    stored = with_status(balanced, _stored("LoadBalancer"), "services")
    ingress = [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]
    assert stored["status"]["loadBalancer"]["ingress"] == ingress
    with pytest.raises(Invalid, match=r"may only be used when `spec\.type` is 'LoadBalancer'"):
        with_status(_with_ingress(service(), {"ip": "192.0.2.1"}), _stored("ClusterIP"), "services")


def test_a_service_that_is_no_load_balancer_any_more_has_no_ingress() -> None:
    """Nobody has to wait for the cloud to say so."""
    balanced = _with_ingress(_stored("LoadBalancer"), {"ip": "192.0.2.1"})
    kept = updated(service(type="LoadBalancer", clusterIP=ADDRESS), balanced, "services")
    assert kept["status"] == balanced["status"]
    changed = updated(service(clusterIP=ADDRESS), balanced, "services")
    assert changed["status"] == {"loadBalancer": {}}


def test_defaults_change_nothing_when_they_run_again() -> None:
    """A Service that was read is as it will be read again."""
    obj = read(_with_ingress(service(type="LoadBalancer"), {"ip": "192.0.2.1"}), "services")
    assert services.RULES.default(obj) == read(obj, "services")


RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def test_a_balancers_class_stays_and_goes_with_it() -> None:
    """It is given once; with another type it goes, unless the change speaks of it."""
    asked = {"type": "LoadBalancer", "clusterIP": ADDRESS}
    old = created(service(**asked, loadBalancerClass="a.example/x"), "services")
    other = service(**asked, loadBalancerClass="a.example/y")
    text = 'spec.loadBalancerClass: Invalid value: "a.example/y": may not change once set'
    assert update_complaints(other, old, "services") == [text]
    plain = service(clusterIP=ADDRESS, loadBalancerClass="a.example/x", allocateLoadBalancerNodePorts=True)
    kept = updated(plain, old, "services")["spec"]
    assert not {"loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & set(kept)
    changed = service(clusterIP=ADDRESS, loadBalancerClass="a.example/y", allocateLoadBalancerNodePorts=False)
    assert [text.split(":")[0] for text in update_complaints(changed, old, "services")] == [
        "spec.allocateLoadBalancerNodePorts",
        "spec.loadBalancerClass",
    ]


@pytest.mark.parametrize("spec", [{}, {"clusterIPs": [ADDRESS]}, {"clusterIP": ADDRESS}])
def test_an_address_that_an_update_leaves_out_is_kept(spec: Json) -> None:
    """Both fields name it again."""
    kept = updated(service(**spec), created(service(clusterIP=ADDRESS), "services"), "services")["spec"]
    assert (kept["clusterIP"], kept["clusterIPs"]) == (ADDRESS, [ADDRESS])


def test_an_address_that_changes_is_told_of_once() -> None:
    """The list follows the field that was changed."""
    old = created(service(clusterIP=ADDRESS), "services")
    said = ['spec.clusterIPs[0]: Invalid value: ["10.96.0.78"]: may not change once set']
    assert update_complaints(service(clusterIP="10.96.0.78", clusterIPs=[ADDRESS]), old, "services") == said


def test_source_ranges_have_an_older_form() -> None:
    """A list in an annotation."""
    obj = service(type="LoadBalancer")
    obj["metadata"]["annotations"] = {RANGES: "10.0.0.0/8, 192.0.2.0/24"}
    assert complaints(obj, "services") == []


def _node(spec: Json, **status: Json) -> Json:
    return {"metadata": {"name": "n"}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.2.0.0/24"]}, "10.1.0.0/24"),
        ({"podCIDRs": ["10.2.0.0/24"]}, "10.2.0.0/24"),
        ({"podCIDR": "10.1.0.0/24"}, "10.1.0.0/24"),
    ],
)
def test_a_nodes_range_is_the_one_that_it_names_alone(given: Json, stored: str) -> None:
    """As in Kubernetes the older field counts, where the two disagree."""
    spec = created(_node(given), "nodes")["spec"]
    assert (spec["podCIDR"], spec["podCIDRs"]) == (stored, [stored])


def test_a_nodes_range_and_old_id_stay() -> None:
    """What was given once is not changed."""
    old = created(_node({"podCIDR": "10.1.0.0/24"}), "nodes")
    new = _node({"podCIDR": "10.2.0.0/24", "podCIDRs": ["10.1.0.0/24"], "externalID": "x"})
    assert update_complaints(new, old, "nodes") == [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
        "spec.externalID: Forbidden: may not be updated",
    ]


def _namespace(*finalizers: str, **labels: str) -> Json:
    return {"metadata": {"name": "a", "labels": labels}, "spec": {"finalizers": list(finalizers)}}


@pytest.mark.parametrize("finalizer", ["not a name", "plain"])
def test_a_namespaces_finalizer_has_a_name(finalizer: str) -> None:
    """Those of the spec are checked where they can be written: at creation, and in the finalize subresource."""
    [said] = complaints(_namespace(finalizer), "namespaces")
    assert said.startswith(f'spec.finalizers: Invalid value: "{finalizer}": name ')
    assert complaints(_namespace("kubernetes", "example.com/mine"), "namespaces") == []
    old = created(_namespace(), "namespaces")
    with pytest.raises(Invalid, match=r"spec\.finalizers\[1\]: Invalid value"):
        namespaces.RULES.subresources["finalize"](old, _namespace("kubernetes", finalizer), "now")


def test_a_slices_hints_are_few_and_once() -> None:
    """Zones and nodes alike."""
    zones = [{"name": "a"}, {"name": "a"}, {"name": "b c"}]
    endpoint = {"addresses": ["10.0.0.1"], "hints": {"forZones": zones, "forNodes": [{"name": "n"}] * 9}}
    obj = {
        "metadata": {"name": "s", "namespace": "default"},
        "addressType": "IPv4",
        "endpoints": [endpoint],
    }
    said = complaints(obj, "endpointslices", "discovery.k8s.io")
    assert [text.partition(": ")[0] for text in said] == [
        "endpoints[0].hints.forZones[1].name",
        "endpoints[0].hints.forZones[2].name",
        "endpoints[0].hints.forNodes",
    ]
    assert said[2].endswith("Too many: 9: must have at most 8 items")


def test_events_share_the_texts_that_they_have_alike():
    """There are thousands of them for an hour, and what selectors ask of each took more memory than the events."""
    text = (
        b'{"metadata": {"name": "%d"}, "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-77f4d", '
        b'"uid": "0b6e-1", "fieldPath": "spec.containers{main}"}, "reason": "Started", "type": "Normal", '
        b'"source": {"component": "kubelet"}, "reportingComponent": "kubelet"}'
    )
    kind = next(each for each in KINDS.values() if each.plural == "events" and not each.group)
    first, second = (kind.rules.fields(msgspec.json.decode(text % number)) for number in (1, 2))
    assert first["involvedObject.name"] == "web-77f4d"
    alike = [name for name in first if not name.startswith("metadata.")]
    assert [name for name in alike if first[name] is not second[name]] == []
    keys = {id(name) for name in first} ^ {id(name) for name in second}
    assert keys == set()
