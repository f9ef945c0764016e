"""By which fields objects of each kind can be selected, and what is said of others."""

from __future__ import annotations

import pytest

from apiserver.core.fields import selectable
from apiserver.core.kinds import KINDS
from machinery.model.errors import BadRequest
from machinery.model.selector_text import parse_fields

COMMON = {"metadata.name", "metadata.namespace"}
INVOLVED = {"kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"}
OWN = {
    "Pod": COMMON
    | {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
    }
    | {"status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName", "spec.host"},
    "Node": {"metadata.name", "spec.unschedulable"},
    "Namespace": {"metadata.name", "status.phase"},
    "ReplicationController": COMMON | {"status.replicas"},
    "ReplicaSet": COMMON | {"status.replicas"},
    "Secret": COMMON | {"type"},
    "Service": COMMON | {"spec.clusterIP", "spec.type"},
    "Event": COMMON
    | {f"involvedObject.{name}" for name in INVOLVED}
    | {"reason", "reportingComponent", "source", "type"},
    "Job": COMMON | {"status.successful"},
    "CertificateSigningRequest": {"metadata.name", "spec.signerName"},
    "ResourceSlice": {"metadata.name", "spec.nodeName", "spec.driver"},
}
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#supported-fields-by-resource-type"""


BY_KIND = {kind.kind: kind for kind in KINDS.values()}


def refusal(kind: str, label: str) -> str:
    with pytest.raises(BadRequest) as caught:
        selectable(BY_KIND[kind], parse_fields(f"metadata.name!=x,{label}=y"))
    return caught.value.message


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_kind_is_selected_by_its_fields(kind: str) -> None:
    """By each of those that Kubernetes names, and by no other."""
    wanted = OWN.get(kind, COMMON)
    assert {*BY_KIND[kind].rules.field_labels, *BY_KIND[kind].rules.field_aliases} == wanted
    for label in wanted:
        assert len(selectable(BY_KIND[kind], parse_fields(f"{label}=x")).requirements) == 1
    assert "spec.color" in refusal(kind, "spec.color")


@pytest.mark.parametrize(
    ("kind", "label", "told"),
    [
        ("Pod", "spec.color", "field label not supported: spec.color"),
        ("Node", "metadata.namespace", "field label not supported: metadata.namespace"),
        ("Job", "status.color", 'field label "status.color" not supported for batchv1.Job'),
        (
            "ResourceSlice",
            "x{y}",
            "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: x{y}",
        ),
        (
            "ConfigMap",
            "data",
            '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        (
            "PersistentVolume",
            "name",
            '"name" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_other_fields_are_refused_in_the_words_of_the_kind(kind: str, label: str, told: str) -> None:
    """Kubernetes has several."""
    assert refusal(kind, label) == told


def test_an_older_name_of_a_field_means_the_field() -> None:
    """Some clients still say spec.host."""
    meant = selectable(BY_KIND["Pod"], parse_fields("spec.host=node-1"))
    assert meant.requirements == (("spec.nodeName", True, "node-1"),)
