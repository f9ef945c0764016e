"""What the cluster adds to objects and refuses, plugin by plugin, seen through the whole chain."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from apiserver.core.admission import DEFAULT_CHAIN, Attributes, LookupKey, Settings
from apiserver.core.kinds import KINDS
from apiserver.core.values import Json
from machinery.model.errors import Forbidden, NotFound
from tests.support.pod_specs import pod, read


@dataclass(frozen=True)
class _User:
    name: str = "alice"
    groups: tuple[str, ...] = ()


KUBELET = _User("system:node:node-1", ("system:nodes",))
NAMESPACE: LookupKey = ("", "namespaces", "", "default")
ACCOUNT: LookupKey = ("", "serviceaccounts", "default", "default")
FACTS: dict[LookupKey, Json | None] = {
    NAMESPACE: {"metadata": {"name": "default"}, "status": {"phase": "Active"}},
    ACCOUNT: {"metadata": {"name": "default"}},
}


def _attributes(plural: str = "pods", verb: str = "create", group: str = "", **fields: Any) -> Attributes:
    kind = KINDS[group, plural]
    namespace = fields.pop("namespace", "default" if kind.namespaced else "")
    return Attributes(fields.pop("user", _User()), verb, kind, namespace=namespace, suffix="x2x4b", **fields)


def _admitted(attributes: Attributes, obj: Json, old: Json | None = None, **facts: Any) -> Json:
    known = {**FACTS, **facts.get("facts", {})}
    before = deepcopy(obj)
    asked = {key: known.get(key) for key in DEFAULT_CHAIN.needs(attributes, obj, old)}
    result = DEFAULT_CHAIN.admit(attributes, obj, old, asked, Settings(default_toleration_s=7))
    assert obj == before
    return result


def _refusal(attributes: Attributes, obj: Json, old: Json | None = None, **facts: Any) -> str:
    with pytest.raises(Forbidden) as caught:
        _valid(attributes, obj, old, **facts)
    return caught.value.message


def _valid(attributes: Attributes, obj: Json, old: Json | None = None, **facts: Any) -> None:
    """Admit an object and validate what became of it."""
    known = {**FACTS, **facts.get("facts", {})}
    asked = {key: known.get(key) for key in DEFAULT_CHAIN.needs(attributes, obj, old)}
    admitted = _admitted(attributes, obj, old, **facts)
    DEFAULT_CHAIN.validate(attributes, admitted, old, asked, Settings())


def _delete_refusal(attributes: Attributes, old: Json) -> str:
    with pytest.raises(Forbidden) as caught:
        DEFAULT_CHAIN.admit_delete(attributes, old, {})
    return caught.value.message


# NamespaceLifecycle


def test_nothing_is_created_in_a_namespace_that_is_not_there() -> None:
    """The namespace is what is not found."""
    with pytest.raises(NotFound) as caught:
        _admitted(_attributes(), read(pod()), facts={NAMESPACE: None})
    assert caught.value.message == 'namespaces "default" not found'


def test_nothing_is_created_in_a_namespace_that_is_being_emptied() -> None:
    """The refusal has the cause that controllers look for; updates go on."""
    facts = {NAMESPACE: {"status": {"phase": "Terminating"}}}
    with pytest.raises(Forbidden) as caught:
        _admitted(_attributes(), read(pod()), facts=facts)
    assert caught.value.message == (
        'pods "web" is forbidden: unable to create new content in namespace default because it is being terminated'
    )
    (cause,) = caught.value.causes
    assert (cause.reason, cause.field) == ("NamespaceTerminating", "metadata.namespace")
    old = read(pod())
    assert _admitted(_attributes(verb="update"), old, old, facts=facts)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_stay(name: str) -> None:
    """The namespaces of the system are not deleted."""
    message = _delete_refusal(_attributes("namespaces", "delete", name=name), {"metadata": {"name": name}})
    assert message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


# ServiceAccount


def test_a_pod_runs_as_the_default_account_with_its_token_mounted() -> None:
    """The token, the CA and the namespace stand where clients look for them."""
    spec = _admitted(_attributes(), read(pod()))["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    (volume,) = spec["volumes"]
    assert volume["name"] == "kube-api-access-x2x4b"
    token, ca, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"expirationSeconds": 3607, "path": "token"}
    assert ca["configMap"]["name"] == "kube-root-ca.crt"
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    assert spec["containers"][0]["volumeMounts"] == [
        {
            "name": "kube-api-access-x2x4b",
            "readOnly": True,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        },
    ]


def test_what_admission_adds_has_its_defaults() -> None:
    """Reading the admitted pod again changes nothing: an unchanged update stays unchanged."""
    admitted = _admitted(_attributes(), read(pod()))
    assert read(deepcopy(admitted)) == admitted


def test_an_account_that_is_not_there_is_refused() -> None:
    """In the words that users know."""
    message = _refusal(_attributes(), read(pod(serviceAccountName="robot")))
    assert message == (
        'pods "web" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [
        (None, None, True),
        (None, False, False),
        (False, None, False),
        (True, False, True),
    ],
)
def test_the_token_is_mounted_unless_somebody_declines(
    of_pod: bool | None, of_account: bool | None, mounted: bool
) -> None:
    """The pod decides, then its account."""
    sent = read(pod() if of_pod is None else pod(automountServiceAccountToken=of_pod))
    account = {} if of_account is None else {"automountServiceAccountToken": of_account}
    spec = _admitted(_attributes(), sent, facts={ACCOUNT: account})["spec"]
    assert bool(spec.get("volumes")) is mounted


def test_a_mount_at_that_path_stays() -> None:
    """A container that has something there already keeps it, and no volume is added for nobody."""
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    sent = pod(container={"volumeMounts": [{"name": "v", "mountPath": path}]}, volumes=[{"name": "v"}])
    spec = _admitted(_attributes(), read(sent))["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["v"]


def test_pull_secrets_come_from_the_account() -> None:
    """A pod that names none gets those of its account."""
    facts = {ACCOUNT: {"imagePullSecrets": [{"name": "registry"}]}}
    assert _admitted(_attributes(), read(pod()), facts=facts)["spec"]["imagePullSecrets"] == [
        {"name": "registry"}
    ]


# DefaultTolerationSeconds, Priority, TaintNodesByCondition


def test_a_pod_leaves_a_dead_node_after_a_while() -> None:
    """The time is the cluster's; a pod that says its own keeps it."""
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 1, "effect": "NoExecute"}  # fmt: skip
    tolerations = _admitted(_attributes(), read(pod(tolerations=[own])))["spec"]["tolerations"]
    assert tolerations[0] == own
    assert tolerations[1:] == [
        {
            "key": "node.kubernetes.io/unreachable",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 7,
        },
    ]


@pytest.mark.parametrize(
    ("name", "priority"),
    [("", 0), ("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)],
)
def test_a_class_becomes_a_number(name: str, priority: int) -> None:
    """The two classes of the system are known."""
    sent = pod(priorityClassName=name) if name else pod()
    spec = _admitted(_attributes(), read(sent))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (priority, "PreemptLowerPriority")


def test_an_unknown_class_is_refused() -> None:
    """PriorityClasses are not built, so no other has a name."""
    message = _refusal(_attributes(), read(pod(priorityClassName="high")))
    assert message == 'pods "web" is forbidden: no PriorityClass with name high was found'


def test_a_number_is_not_the_users_to_give() -> None:
    """The class decides."""
    assert "(5) must not be provided in pod spec" in _refusal(_attributes(), read(pod(priority=5)))


def test_a_new_node_takes_no_pods_yet() -> None:
    """It is tainted until it has been seen Ready; an update adds nothing."""
    node = {"metadata": {"name": "node-1"}, "spec": {}}
    taints = [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    assert _admitted(_attributes("nodes"), node)["spec"]["taints"] == taints
    assert "taints" not in _admitted(_attributes("nodes", "update"), node, node)["spec"]


# NodeRestriction


def _node(name: str = "node-1", *, taints: list[Json] | None = None, **labels: str) -> Json:
    return {
        "metadata": {"name": name, "labels": {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}},
        "spec": {"taints": taints or []},
    }  # fmt: skip


def test_a_kubelet_touches_its_own_node_only() -> None:
    """Another's node is refused, for writes and deletes."""
    other = _attributes("nodes", "update", user=KUBELET, name="node-2")
    assert _refusal(other, _node("node-2"), _node("node-2")) == (
        'nodes "node-2" is forbidden: node "node-1" is not allowed to modify node "node-2"'
    )
    assert "is not allowed to modify node" in _delete_refusal(other, _node("node-2"))
    assert _admitted(_attributes("nodes", user=KUBELET), _node())["metadata"]["name"] == "node-1"


def test_a_kubelet_does_not_take_its_taints_away() -> None:
    """Nor does it move its node to where it should not be."""
    update = _attributes("nodes", "patch", user=KUBELET, name="node-1")
    tainted = _node(taints=[{"key": "a", "effect": "NoSchedule"}])
    assert "is not allowed to modify taints" in _refusal(update, _node(), tainted)
    labelled = _node(node_role__x="", **{"node-restriction_kubernetes_io__x": "1"})
    assert "is not allowed to modify labels: node-restriction.kubernetes.io/x" in _refusal(
        update, labelled, _node()
    )
    assert _admitted(update, _node(topology_kubernetes_io__zone="a", example_com__x="1"), _node())


def test_a_kubelet_creates_its_node_with_labels_that_are_its_own() -> None:
    """The control plane's role is not for a node to take."""
    wanted = _node(**{"node-role_kubernetes_io__control-plane": ""})
    assert "is not allowed to set the following labels: node-role.kubernetes.io/control-plane" in _refusal(
        _attributes("nodes", user=KUBELET), wanted
    )


def test_a_kubelet_reports_and_deletes_its_own_pods_only() -> None:
    """A pod is its node's."""
    mine, other = read(pod(nodeName="node-1")), read(pod(nodeName="node-2"))
    status = _attributes(verb="patch", subresource="status", user=KUBELET, name="web")
    assert _admitted(status, mine, mine)
    assert "can only update pod status for pods with spec.nodeName set to itself" in _refusal(
        status, other, other
    )
    delete = _attributes(verb="delete", user=KUBELET, name="web")
    assert DEFAULT_CHAIN.admit_delete(delete, mine, {}) is None
    assert "can only delete pods with spec.nodeName set to itself" in _delete_refusal(delete, other)


def test_a_kubelet_does_not_label_pods_through_their_status() -> None:
    """Labels are what selectors trust."""
    old = read(pod(nodeName="node-1"))
    new = deepcopy(old)
    new["metadata"]["labels"] = {"app": "bank"}
    status = _attributes(verb="update", subresource="status", user=KUBELET, name="web")
    assert 'node "node-1" cannot update labels through pod status' in _refusal(status, new, old)


def test_a_kubelet_creates_mirror_pods_only() -> None:
    """And those refer to nothing that it could not read."""
    create = _attributes(user=KUBELET)
    plain = read(pod(nodeName="node-1"))
    assert "can only create mirror pods" in _refusal(create, plain)
    mirror = deepcopy(plain)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert "with an owner reference set to itself" in _refusal(create, mirror)
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "u", "controller": True}
    mirror["metadata"]["ownerReferences"] = [owner]
    with pytest.raises(NotFound):
        _admitted(create, mirror)
    key = ("", "nodes", "", "node-1")
    assert "node node-1 UID mismatch: expected u got v" in _refusal(
        create, mirror, facts={key: {"metadata": {"uid": "v"}}}
    )
    facts = {key: {"metadata": {"uid": "u"}}}
    assert _admitted(create, mirror, facts=facts)
    mirror["spec"]["volumes"] = [{"name": "s", "configMap": {"name": "c"}}]
    assert "can not create pods that reference configmaps" in _refusal(create, mirror, facts=facts)


def test_a_kubelet_changes_no_pods() -> None:
    """It has the status; the rest is the users'."""
    mine = read(pod(nodeName="node-1"))
    assert "can only create and delete mirror pods" in _refusal(
        _attributes(verb="update", user=KUBELET), mine, mine
    )
    binding = _attributes(subresource="binding", user=KUBELET)
    assert "unexpected pod subresource" in _refusal(binding, {"metadata": {"name": "web"}})


def test_a_kubelet_evicts_its_own_pods_only() -> None:
    """The pod is looked up."""
    eviction = {"metadata": {"name": "web"}}
    attributes = _attributes(subresource="eviction", user=KUBELET, name="web")
    key = ("", "pods", "default", "web")
    assert _admitted(attributes, eviction, facts={key: pod(nodeName="node-1")})
    assert "can only evict pods" in _refusal(attributes, eviction, facts={key: pod(nodeName="node-2")})
    with pytest.raises(NotFound):
        _admitted(attributes, eviction)


def test_a_kubelet_renews_its_own_lease_only() -> None:
    """In the namespace for it."""
    group = "coordination.k8s.io"
    facts = {("", "namespaces", "", "kube-node-lease"): {}}
    lease = {"metadata": {"name": "node-1"}}
    own = _attributes("leases", group=group, user=KUBELET, namespace="kube-node-lease")
    assert _admitted(own, lease, facts=facts)
    assert "same name as the requesting node" in _refusal(own, {"metadata": {"name": "node-2"}}, facts=facts)
    elsewhere = _attributes("leases", group=group, user=KUBELET)
    assert 'can only access leases in the "kube-node-lease" system namespace' in _refusal(elsewhere, lease)


def _token_request(uid: str = "u", *audiences: str) -> Json:
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": uid}
    return {"spec": {"boundObjectRef": bound, "audiences": list(audiences)}}


def test_a_kubelet_fetches_tokens_for_its_pods() -> None:
    """A token is bound to a pod of the node that asks for it in its spec."""
    attributes = _attributes("serviceaccounts", subresource="token", user=KUBELET, name="default")
    mine = _admitted(_attributes(), read(pod(nodeName="node-1")))
    mine["metadata"]["uid"] = "u"
    facts = {("", "pods", "default", "web"): mine}
    assert _admitted(attributes, _token_request(), facts=facts)
    assert "does not match the UID in record" in _refusal(attributes, _token_request("v"), facts=facts)
    assert 'audience "vault" not found in pod spec volume' in _refusal(
        attributes, _token_request("u", "vault"), facts=facts
    )
    assert "not bound to a pod" in _refusal(attributes, {"spec": {}}, facts=facts)
    moved = deepcopy(mine)
    moved["spec"]["nodeName"] = "node-2"
    assert "scheduled on a different node" in _refusal(
        attributes, _token_request(), facts={("", "pods", "default", "web"): moved}
    )


def test_a_name_like_a_kubelets_is_none_without_the_group() -> None:
    """Users outside system:nodes are not restricted here."""
    user = _User("system:node:node-1")
    assert _admitted(
        _attributes("nodes", "update", user=user, name="node-2"), _node("node-2"), _node("node-2")
    )


# RuntimeClass


def test_a_class_that_is_not_there_is_refused_in_kubernetes_words() -> None:
    """There are no RuntimeClasses: whatever a pod names is not found."""
    expected = 'pods "web" is forbidden: pod rejected: RuntimeClass "gvisor" not found'
    assert _refusal(_attributes(), read(pod(runtimeClassName="gvisor"))) == expected


def test_only_a_class_can_say_what_a_pod_costs_beside_its_containers() -> None:
    """A pod that brings an overhead of its own is refused."""
    text = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    refused = _refusal(_attributes(), read(pod(overhead={"cpu": "10m"})))
    assert refused == f'pods "web" is forbidden: {text}'


def test_classes_are_asked_for_when_a_pod_is_made() -> None:
    """What is stored already is not judged again."""
    stored = read(pod(runtimeClassName="gvisor"))
    after = _admitted(_attributes(verb="update", name="web"), stored, stored)
    assert after["spec"]["runtimeClassName"] == "gvisor"
