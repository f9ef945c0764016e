"""What a write changes, kind by kind: which of them raise the generation, and what of the metadata a status leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from apiserver.core import writes
from apiserver.core.rules import OWN_METADATA
from apiserver.core.values import Json
from tests.support.pod_specs import CONTEXT
from tests.support.refusals import with_fields
from tests.support.served_kinds import KINDS, created, example, updated

ALL: Final = frozenset(OWN_METADATA)
STATUS_KEEPS: Final[dict[str, frozenset[str]]] = {
    "APIService": ALL,
    "Deployment": frozenset({"labels"}),
    "FlowSchema": ALL,
    "Pod": frozenset({"ownerReferences"}),
    "PriorityLevelConfiguration": ALL,
    "ResourceClaim": ALL,
    "ServiceCIDR": ALL,
    "ValidatingAdmissionPolicy": ALL,
    "VolumeAttachment": ALL,
}
"""Every other kind takes metadata with its status, as in Kubernetes."""

COUNTED: Final[dict[str, tuple[str, Any]]] = {
    "CSIDriver": ("spec.requiresRepublish", True),
    "CronJob": ("spec.suspend", True),
    "CustomResourceDefinition": ("spec.names.shortNames", ["ty"]),
    "DaemonSet": ("spec.minReadySeconds", 5),
    "Deployment": ("spec.replicas", 3),
    "DeviceClass": ("spec.selectors", []),
    "EndpointSlice": ("ports[0].port", 81),
    "FlowSchema": ("spec.matchingPrecedence", 7),
    "Ingress": ("spec.ingressClassName", "x"),
    "IngressClass": ("spec.parameters.name", "c"),
    "Job": ("spec.suspend", True),
    "MutatingAdmissionPolicy": ("spec.failurePolicy", "Ignore"),
    "MutatingAdmissionPolicyBinding": ("spec.paramRef.name", "z"),
    "MutatingWebhookConfiguration": ("webhooks[0].timeoutSeconds", 3),
    "NetworkPolicy": ("spec.podSelector", {"matchLabels": {"a": "b"}}),
    "Pod": ("spec.containers[0].image", "app:2"),
    "PodDisruptionBudget": ("spec.minAvailable", 2),
    "PodTemplate": ("template.spec.containers[0].image", "app:2"),
    "PriorityLevelConfiguration": ("spec.limited.lendablePercent", 5),
    "ReplicaSet": ("spec.replicas", 3),
    "ReplicationController": ("spec.replicas", 3),
    "ResourceSlice": ("spec.pool.generation", 2),
    "StatefulSet": ("spec.replicas", 3),
    "ValidatingAdmissionPolicy": ("spec.failurePolicy", "Ignore"),
    "ValidatingAdmissionPolicyBinding": ("spec.validationActions", ["Audit"]),
    "ValidatingWebhookConfiguration": ("webhooks[0].timeoutSeconds", 3),
}
"""A change of each kind that counts its generations."""

NEVER_COUNTS: Final = frozenset(
    {"PriorityClass"}
)  # it has a generation, and nothing of it that counts can change


def test_these_kinds_have_a_generation() -> None:
    """And no others: it is absent from all objects of those."""
    assert {name for name, kind in KINDS.items() if kind.rules.counts_generation} == set(
        COUNTED
    ) | NEVER_COUNTS
    for kind in KINDS.values():
        assert created(example(kind))["metadata"].get("generation") == (
            1 if kind.rules.counts_generation else None
        )


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_wanted_counts(name: str) -> None:
    """A change of it is the next generation, and a status is none."""
    stored = created(example(KINDS[name]))
    changed = updated(with_fields(stored, (COUNTED[name],)), stored)
    assert changed["metadata"]["generation"] == 2
    if "status" in KINDS[name].subresources:
        assert _status_written(changed, lambda meta: {**meta, "generation": 9})["generation"] == 2


def _status_written(stored: Json, change: Callable[[Json], Json]) -> Json:
    """Return the metadata that a write of the status, with changed metadata, stores."""
    kind = KINDS[stored["kind"]]
    new = {**stored, "metadata": change(dict(stored["metadata"]))}
    written: Json = writes.update_status(kind, new, stored, CONTEXT)["metadata"]
    return written


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if "status" in kind.subresources])
def test_a_status_leaves_metadata_alone_where_kubernetes_does(name: str) -> None:
    """Labels, annotations, finalizers and owners, each by itself."""
    stored = created(example(KINDS[name]))
    before = stored["metadata"]
    given = {
        "labels": {**(before.get("labels") or {}), "a": "b"},
        "annotations": {"a": "b"},
        "finalizers": ["example.com/a"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u"}],
    }
    after = _status_written(stored, lambda meta: {**meta, **given})
    left_alone = {field for field in given if after.get(field) == before.get(field)}
    assert left_alone == STATUS_KEEPS.get(name, frozenset())
    assert {field for field in given if after.get(field) == given[field]} == ALL - left_alone
