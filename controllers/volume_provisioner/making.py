"""Plan for a claim that waits for a new volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    NORMAL,
    NOTHING_TO_DO,
    WARNING,
    AskNode,
    Create,
    Facts,
    Lookup,
    Part,
    Plan,
    RecordEvent,
    Refusal,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from machinery.model.k8s.core_v1 import (
    LocalVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.kubelet_paths import NODE_PAGE
from machinery.model.node_folders import FOLDERS, folder_path, read_root
from machinery.model.requests import reference_to
from machinery.model.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import (
    BOUND_BY_CONTROLLER,
    DELETION_PROTECTION,
    FOLDER_OF_NODE,
    NODE_FOLDERS,
    PROVISIONED_BY,
    SELECTED_NODE,
)
from machinery.model.volume_matching import class_of_claim

AGAIN_S: Final = 15.0  # cluster seconds until a node that did not answer is asked again
HOSTNAME: Final = "kubernetes.io/hostname"
_BLOCK: Final = "Block"
_ONE_NODE: Final = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """What the plan for a claim knows: one that has no volume, and whose provisioner this is."""

    claim: PersistentVolumeClaim
    storage_class: StorageClass | None
    node: Node | None  # that its first pod goes to
    has_volume: bool  # whether the volume that would be made for it is there


def folders_of(node: str) -> Part:
    """Return the question which folders a node has."""
    return Part("", "v1", NODES.plural, "", node, f"{NODE_PAGE}{FOLDERS}")


def volume_name(claim: PersistentVolumeClaim) -> str:
    """Return the name of the volume that is made for a claim: no other claim ever has it."""
    return f"pvc-{claim.metadata.uid}"


def plan_claim(seen: SeenClaim, facts: Facts) -> Plan:
    """Plan for a claim: its folder first, then the volume."""
    claim, storage_class = seen.claim, seen.storage_class
    if seen.has_volume or storage_class is None or claim.metadata.deletionTimestamp:
        return NOTHING_TO_DO
    node_name = claim.metadata.annotations.get(SELECTED_NODE, "")
    if why := unfit(claim, storage_class) or ("" if node_name else "no node was selected"):
        return Plan((_failed(claim, why),))
    if seen.node is None:
        return _elsewhere(claim, node_name, facts)
    question = folders_of(node_name)
    if question not in facts.answers:
        return Plan(needs=(question,))
    answer = facts.answers[question]
    if isinstance(answer, Refusal):
        return Plan((_failed(claim, answer.message),), requeue_after_s=AGAIN_S)
    return _make(claim, storage_class, seen.node, read_root(answer))


def unfit(claim: PersistentVolumeClaim, storage_class: StorageClass) -> str:
    """Say why no folder can be what a claim, or its class, asks for; "" where one can."""
    spec = claim.spec
    found = {
        f'parameter "{min(storage_class.parameters, default="")}" is not known': storage_class.parameters,
        "a folder takes no mount options": storage_class.mountOptions,
        "a folder is no block device: volumeMode has to be Filesystem": spec.volumeMode == _BLOCK,
        "claim Selector is not supported": spec.selector,
        "a folder begins empty: dataSource is not supported": spec.dataSource or spec.dataSourceRef,
        "a folder is on one node: accessModes have to be ReadWriteOnce or ReadWriteOncePod": (
            set(spec.accessModes) - _ONE_NODE
        ),
    }
    return next((why for why, holds in found.items() if holds), "")


def _elsewhere(claim: PersistentVolumeClaim, node: str, facts: Facts) -> Plan:
    """Have the scheduler choose another node where the one that it chose is gone."""
    question = Lookup(NODES, "", node)
    if question not in facts.objects:
        return Plan(needs=(question,))
    if facts.objects[question] is not None:
        return NOTHING_TO_DO  # the cache will show it
    change = {"metadata": {"annotations": {SELECTED_NODE: None}}}
    why = f'failed to get target node: node "{node}" not found'
    return Plan((_failed(claim, why), patch_at_revision(PERSISTENT_VOLUME_CLAIMS, claim, change)))


def _make(claim: PersistentVolumeClaim, storage_class: StorageClass, node: Node, root: str) -> Plan:
    name = volume_name(claim)
    whom = f"{claim.metadata.namespace}/{claim.metadata.name}"
    started = f'External provisioner is provisioning volume for claim "{whom}"'
    made = Create(
        PERSISTENT_VOLUMES,
        new_volume(claim, storage_class, node, f"{root}/{name}"),
        on_success=event(claim, NORMAL, "ProvisioningSucceeded", f"Successfully provisioned volume {name}"),
        on_failure=_failed(claim, "{error}"),
        already_exists_is_fine=True,
    )
    asked = AskNode(node.metadata.name, "Create", folder_path(name), on_failure=_failed(claim, "{error}"))
    return Plan((event(claim, NORMAL, "Provisioning", started), asked, made))


def new_volume(
    claim: PersistentVolumeClaim, storage_class: StorageClass, node: Node, path: str
) -> PersistentVolume:
    """Return the volume of a folder, reserved for the claim."""
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return PersistentVolume(
        metadata=ObjectMeta(
            name=volume_name(claim),
            annotations={
                PROVISIONED_BY: NODE_FOLDERS,
                BOUND_BY_CONTROLLER: "yes",
                FOLDER_OF_NODE: node.metadata.name,
            },
            finalizers=[DELETION_PROTECTION],
        ),
        spec=PersistentVolumeSpec(
            accessModes=claim.spec.accessModes,
            capacity={"storage": requests["storage"]},
            claimRef=reference_to(claim),
            local=LocalVolumeSource(path=path),
            nodeAffinity=_only_on(node),
            persistentVolumeReclaimPolicy=storage_class.reclaimPolicy,
            storageClassName=class_of_claim(claim),
            volumeMode=claim.spec.volumeMode,
        ),
    )


def _only_on(node: Node) -> VolumeNodeAffinity:
    meta = node.metadata
    if HOSTNAME in meta.labels:
        key, value = HOSTNAME, meta.labels[HOSTNAME]
        term = NodeSelectorTerm(matchExpressions=[_is(key, value)])
    else:
        term = NodeSelectorTerm(matchFields=[_is("metadata.name", meta.name)])
    return VolumeNodeAffinity(required=NodeSelector(nodeSelectorTerms=[term]))


def _is(key: str, value: str) -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key=key, operator="In", values=[value])


def _failed(claim: PersistentVolumeClaim, why: str) -> RecordEvent:
    text = f'failed to provision volume with StorageClass "{class_of_claim(claim)}": {why}'
    return event(claim, WARNING, "ProvisioningFailed", text)
