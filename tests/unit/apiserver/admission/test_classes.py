"""Plugins that look classes up: of priority, of runtimes, of storage, of Ingresses; and what nodes and signers demand.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apiserver.core.admission import (
    EVERY_NAME,
    Attributes,
    Chain,
    LookedUp,
    Permission,
    Settings,
    chosen,
    make_chain,
)
from apiserver.core.admission.chain import NAMES
from apiserver.core.admission.device_admin_access import LABEL
from apiserver.core.admission.merged_tolerations import merge_tolerations
from apiserver.core.values import Json
from machinery.model.errors import Forbidden, Invalid
from machinery.model.kinds import KindNames

CHAIN = make_chain(chosen(enabled=["OwnerReferencesPermissionEnforcement"], disabled=["ServiceAccount"]))
PRIORITY_CLASSES = ("scheduling.k8s.io", "priorityclasses", "")
RUNTIME_CLASSES = ("node.k8s.io", "runtimeclasses", "")
STORAGE_CLASSES = ("storage.k8s.io", "storageclasses", "")
INGRESS_CLASSES = ("networking.k8s.io", "ingressclasses", "")
CLAIMS = KindNames(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", "", True
)
INGRESSES = KindNames("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", "", True)
PODS = KindNames("", "v1", "Pod", "pods", "pod", "", True)
REQUESTS = KindNames("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", "", "", False)  # fmt: skip
DEVICE_CLAIMS = KindNames("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims", "", "", True)
CLASSES = KindNames("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "", "", False)


@dataclass(frozen=True)
class _User:
    name: str = "alice"
    groups: tuple[str, ...] = ()


def _attributes(kind: KindNames, verb: str = "create", **fields: Any) -> Attributes:
    return Attributes(_User(), verb, kind, namespace="default" if kind.namespaced else "", **fields)


def _admitted(
    attributes: Attributes, obj: Json, known: LookedUp, old: Json | None = None, chain: Chain = CHAIN
) -> Json:
    """Run both stages."""
    found = {("", "namespaces", "", "default"): {}, **known}
    looked_up = {key: found.get(key) for key in chain.needs(attributes, obj, old)}
    admitted = chain.admit(attributes, obj, old, looked_up, Settings())
    chain.validate(attributes, admitted, old, looked_up, Settings())
    return admitted


def _refusal(*given: Any, **more: Any) -> str:
    with pytest.raises(Forbidden) as caught:
        _admitted(*given, **more)
    return caught.value.message.partition(" is forbidden: ")[2]


def _pod(**spec: Any) -> Json:
    return {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def _class(name: str, **fields: Any) -> Json:
    return {"metadata": {"name": name, **fields.pop("meta", {})}, **fields}


def _list(*items: Json) -> Json:
    return {"items": list(items)}


COMPUTED = "must not be provided in pod spec; priority admission controller computed"
HIGH = _class("high", value=1000, preemptionPolicy="Never")


@pytest.mark.parametrize(
    ("spec", "known", "expected"),
    [
        ({}, {}, (0, "PreemptLowerPriority", None)),
        ({"priorityClassName": "high"}, {(*PRIORITY_CLASSES, "high"): HIGH}, (1000, "Never", "high")),
        (
            {"priorityClassName": "system-node-critical"},
            {},
            (2_000_001_000, "PreemptLowerPriority", "system-node-critical"),
        ),
        (
            {},
            {
                (*PRIORITY_CLASSES, EVERY_NAME): _list(
                    _class("b", value=9, globalDefault=True),
                    _class("a", value=7, globalDefault=True, preemptionPolicy="Never"),
                    _class("c", value=1),
                )
            },
            (7, "Never", "a"),
        ),
    ],
)
def test_the_class_of_a_pod_becomes_a_number_and_a_policy(spec, known, expected):
    """Of several default classes the lowest counts; the system's own are always there."""
    own = _admitted(_attributes(PODS), _pod(**spec), known)["spec"]
    assert (own["priority"], own["preemptionPolicy"], own.get("priorityClassName")) == expected


@pytest.mark.parametrize(
    ("spec", "refusal"),
    [
        ({"priorityClassName": "low"}, "no PriorityClass with name low was found"),
        (
            {"priorityClassName": "high", "priority": 5},
            f"the integer value of priority (5) {COMPUTED} 1000 from the given PriorityClass name",
        ),
        (
            {"priorityClassName": "high", "preemptionPolicy": "PreemptLowerPriority"},
            f"the string value of PreemptionPolicy (PreemptLowerPriority) {COMPUTED} Never from the given PriorityClass name",
        ),
        ({"runtimeClassName": "gvisor"}, 'pod rejected: RuntimeClass "gvisor" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "kata", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"runtimeClassName": "kata", "nodeSelector": {"kata": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no",
        ),
    ],
)
def test_what_contradicts_a_class_is_refused(spec, refusal):
    """In Kubernetes' words."""
    known = {(*PRIORITY_CLASSES, "high"): HIGH, (*RUNTIME_CLASSES, "kata"): KATA}
    assert _refusal(_attributes(PODS), _pod(**spec), known) == refusal


KATA_TOLERATION = {"key": "kata", "operator": "Exists"}
KATA = _class(
    "kata",
    handler="kata",
    overhead={"podFixed": {"cpu": "250m"}},
    scheduling={"nodeSelector": {"kata": "yes"}, "tolerations": [KATA_TOLERATION]},
)


def test_a_runtime_class_brings_its_overhead_its_nodes_and_its_tolerations():
    """An overhead that says the same in other words is the same."""
    same = _pod(runtimeClassName="kata", overhead={"cpu": "0.25"}, nodeSelector={"disk": "ssd"})
    own = _admitted(_attributes(PODS), same, {(*RUNTIME_CLASSES, "kata"): KATA})["spec"]
    assert own["overhead"] == {"cpu": "250m"}
    assert own["nodeSelector"] == {"disk": "ssd", "kata": "yes"}
    assert KATA_TOLERATION in own["tolerations"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([{"key": "a", "operator": "Exists"}, {"key": "b"}, {"key": "a", "operator": "Exists"}], [0, 1]),
        ([{"operator": "Exists"}, {"key": "a", "operator": "Equal", "value": "x"}], [0]),
        ([{"key": "a", "operator": "Equal", "value": "x"}, {"key": "a", "operator": "Exists"}], [1]),
        (
            [
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
                {"key": "a", "operator": "Exists", "effect": "NoExecute"},
            ],
            [1],
        ),
        (
            [
                {"key": "a", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "a", "operator": "Exists", "effect": "NoExecute"},
            ],
            [0, 1],
        ),
    ],
)
def test_tolerations_that_another_one_covers_are_left_out(given, kept):
    """Of equal ones the first stays."""
    assert merge_tolerations(given) == [given[index] for index in kept]


def test_there_is_one_default_priority_class():
    """The one that is there may be written again."""
    known = {(*PRIORITY_CLASSES, EVERY_NAME): _list(_class("a", value=7, globalDefault=True))}
    second = _class("b", value=1, globalDefault=True)
    refusal = "PriorityClass a is already marked as default. Only one default can exist"
    assert _refusal(_attributes(CLASSES), second, known) == refusal
    same = _class("a", value=7, globalDefault=True)
    assert _admitted(_attributes(CLASSES, "update", name="a"), same, known, same) == same


MARK = "storageclass.kubernetes.io/is-default-class"
INGRESS_MARK = "ingressclass.kubernetes.io/is-default-class"


def _marked(name: str, created: str, mark: str = MARK) -> Json:
    return _class(name, meta={"creationTimestamp": created, "annotations": {mark: "true"}})


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ({}, "b"),
        ({"spec": {"storageClassName": ""}}, ""),
        ({"spec": {"storageClassName": "own"}}, "own"),
        ({"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "old"}}}, None),
    ],
)
def test_a_claim_that_names_no_class_gets_the_newest_default_one(obj, expected):
    """The empty name is a name; so is the annotation from before."""
    known = {
        (*STORAGE_CLASSES, EVERY_NAME): _list(
            _marked("a", "2026-01-01T00:00:00Z"),
            _marked("c", "2026-01-02T00:00:00Z"),
            _marked("b", "2026-01-02T00:00:00Z"),
            _class("d"),
        )
    }
    admitted = _admitted(_attributes(CLAIMS), {"metadata": {"name": "data"}, "spec": {}, **obj}, known)
    assert admitted["spec"].get("storageClassName") == expected
    assert admitted["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_an_ingress_that_names_no_class_gets_the_default_one():
    """Also where several are marked."""
    known = {(*INGRESS_CLASSES, EVERY_NAME): _list(_marked("nginx", "2026-01-01T00:00:00Z", INGRESS_MARK))}
    made = _admitted(_attributes(INGRESSES), {"metadata": {"name": "web"}, "spec": {}}, known)
    assert made["spec"] == {"ingressClassName": "nginx"}
    annotated = {"metadata": {"annotations": {"kubernetes.io/ingress.class": "old"}}, "spec": {}}
    assert _admitted(_attributes(INGRESSES), annotated, known) == annotated


def _claim(storage: str, class_: str = "fast", phase: str = "Bound") -> Json:
    return {
        "metadata": {"name": "data"},
        "spec": {"storageClassName": class_, "resources": {"requests": {"storage": storage}}},
        "status": {"phase": phase},
    }


NOT_RESIZABLE = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"


@pytest.mark.parametrize(
    ("old", "allowing", "refusal"),
    [
        (_claim("1Gi"), True, ""),
        (_claim("2Gi"), False, ""),
        (_claim("1Gi", phase="Pending"), True, "Only bound persistent volume claims can be expanded"),
        (_claim("1Gi"), False, NOT_RESIZABLE),
        (_claim("1Gi", class_=""), True, NOT_RESIZABLE),
    ],
)
def test_a_claim_grows_where_its_class_allows_that(old, allowing, refusal):
    """Another storage class does not."""
    known = {(*STORAGE_CLASSES, "fast"): _class("fast", allowVolumeExpansion=allowing)}
    new = {**old, "spec": {**old["spec"], "resources": {"requests": {"storage": "2048Mi"}}}}
    attributes = _attributes(CLAIMS, "update", name="data")
    if refusal:
        assert _refusal(attributes, new, known, old) == refusal
    else:
        assert _admitted(attributes, new, known, old) == new


def test_a_pod_has_the_labels_of_its_nodes_place():
    """Whether it is bound, or has its node from the start; they replace what it says itself."""
    labels = {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1", "disk": "ssd"}
    known = {("", "nodes", "", "node-1"): {"metadata": {"labels": labels}}}
    wanted = {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1"}
    pod = _pod(nodeName="node-1")
    pod["metadata"]["labels"] = {"app": "web", "topology.kubernetes.io/zone": "z9"}
    assert _admitted(_attributes(PODS), pod, known)["metadata"]["labels"] == {"app": "web", **wanted}
    binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "node-1"}}
    made = _admitted(_attributes(PODS, name="web", subresource="binding"), binding, known)
    assert made["metadata"]["labels"] == wanted


# What is demanded


def _request(*organizations: str) -> Json:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eve"), *names])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    text = base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode()
    return {
        "metadata": {"name": "r"},
        "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "request": text},
    }


def test_no_certificate_makes_its_holder_a_master():
    """Nor is a request taken that is none."""
    create = _attributes(REQUESTS)
    text = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    assert _refusal(create, _request("dev", "system:masters"), {}) == text
    assert _admitted(create, _request("dev"), {})
    broken = {"spec": {"signerName": "kubernetes.io/kube-apiserver-client", "request": "bm8="}}
    assert _refusal(create, broken, {}).startswith("failed to parse CSR: ")


def test_who_approves_and_who_signs_needs_permission_for_the_signer():
    """For the signer, or for all of its domain; a status that tells nothing of the certificate needs none."""
    signers = tuple(
        Permission("approve", "certificates.k8s.io", "signers", name=name) for name in ("a.io/b", "a.io/*")
    )
    old = {"spec": {"signerName": "a.io/b"}}
    (demand,) = CHAIN.demands(_attributes(REQUESTS, "update", subresource="approval"), old, old)
    assert demand.any_of == signers
    assert demand.refusal == 'user not permitted to approve requests with signerName "a.io/b"'
    status = _attributes(REQUESTS, "update", subresource="status")
    (demand,) = CHAIN.demands(status, {**old, "status": {"certificate": "x"}}, old)
    assert demand.any_of[0].verb == "sign"
    assert CHAIN.demands(status, old, old) == []


def test_who_makes_an_object_anothers_dependent_could_delete_it():
    """Who has it hold up its owner's end may finalize that one."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": "u",
        "blockOwnerDeletion": True,
    }
    pod = _pod()
    pod["metadata"]["ownerReferences"] = [owner]
    deleting, finalizing = CHAIN.demands(_attributes(PODS), pod, None)
    assert deleting.any_of == (Permission("delete", "", "pods", "", "default", ""),)
    assert finalizing.any_of[0].of_type == ("apps/v1", "ReplicaSet")
    assert CHAIN.demands(_attributes(PODS, "update"), pod, pod) == []


def test_plugins_are_turned_on_and_off_by_name():
    """A name that there is not is refused; so is one that is in both lists."""
    assert "OwnerReferencesPermissionEnforcement" not in chosen()
    assert chosen(disabled=NAMES) == frozenset()
    for wrong in ({"enabled": ["Unknown"]}, {"enabled": ["Priority"], "disabled": ["Priority"]}):
        with pytest.raises(ValueError, match="admission plugin"):
            chosen(**wrong)


def test_devices_in_use_are_asked_for_in_a_namespace_that_is_labelled_for_it() -> None:
    """Nobody else gets at devices that pods have."""
    request = {"name": "all", "exactly": {"deviceClassName": "card", "adminAccess": True}}
    claim = {
        "kind": "ResourceClaim",
        "metadata": {"name": "watch"},
        "spec": {"devices": {"requests": [request]}},
    }
    with pytest.raises(Invalid) as caught:
        _admitted(_attributes(DEVICE_CLAIMS), claim, {})
    assert [(cause.field, cause.message) for cause in caught.value.causes] == [
        (
            "spec.devices.requests[0].adminAccess",
            f"Forbidden: admin access to devices requires the `{LABEL}: true` label on the containing namespace",
        )
    ]
    labelled = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    assert (
        _admitted(_attributes(DEVICE_CLAIMS), claim, {("", "namespaces", "", "default"): labelled}) == claim
    )
    assert _admitted(_attributes(DEVICE_CLAIMS, verb="update"), claim, {}, old=claim) == claim
