"""What a CSINode and a Node say of a node's CSI drivers.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-node-v1/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from machinery.model.k8s.core_v1 import Node
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.k8s.storage_v1 import CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources

Change: TypeAlias = Callable[[CSINode], CSINode]
NODE_IDS: Final = "csi.volume.kubernetes.io/nodeid"
"""The annotation of a Node: what its drivers call it, as a JSON object."""
_MIGRATED: Final = "storage.alpha.kubernetes.io/migrated-plugins"
"""The annotation of a CSINode: kinds of volumes that nobody serves without a driver any more."""
_MIGRATED_PLUGINS: Final = (
    "aws-ebs",
    "azure-disk",
    "azure-file",
    "cinder",
    "gce-pd",
    "portworx-volume",
    "vsphere-volume",
)
_MOST_VOLUMES: Final = 2**31 - 1


def new_csi_node(node: Node) -> CSINode:
    """Return the CSINode of a node, without drivers; it goes away with the node."""
    meta = node.metadata
    owner = OwnerReference(apiVersion="v1", kind="Node", name=meta.name, uid=meta.uid)
    migrated = ",".join(f"kubernetes.io/{name}" for name in _MIGRATED_PLUGINS)
    return CSINode(
        metadata=ObjectMeta(name=meta.name, ownerReferences=[owner], annotations={_MIGRATED: migrated}),
        spec=CSINodeSpec(drivers=[]),
    )


def is_of(csi_node: CSINode, node: Node) -> bool:
    """Whether a CSINode is this node's, and not that of one of the same name before."""
    owners = csi_node.metadata.ownerReferences
    return not owners or any(each.uid == node.metadata.uid for each in owners)


def driver_entry(name: str, node_id: str, most_volumes: int, topology: Mapping[str, str]) -> CSINodeDriver:
    """Return what a CSINode says of a driver; one that names no number of volumes has no limit."""
    count = VolumeNodeResources(count=min(most_volumes, _MOST_VOLUMES)) if most_volumes > 0 else None
    return CSINodeDriver(name=name, nodeID=node_id, topologyKeys=sorted(topology), allocatable=count)


def with_driver(csi_node: CSINode, entry: CSINodeDriver) -> CSINode:
    """Return a CSINode with a driver."""
    if entry in csi_node.spec.drivers:
        return csi_node
    others = [each for each in csi_node.spec.drivers if each.name != entry.name]
    return msgspec.structs.replace(csi_node, spec=CSINodeSpec(drivers=[*others, entry]))


def without_driver(csi_node: CSINode, name: str) -> CSINode:
    """Return a CSINode without a driver."""
    others = [each for each in csi_node.spec.drivers if each.name != name]
    return msgspec.structs.replace(csi_node, spec=CSINodeSpec(drivers=others))


def node_patch(node: Node, driver: str, node_id: str, topology: Mapping[str, str]) -> dict[str, Any]:
    """Return what changes in a node's metadata: what the driver calls it ("": nothing any more), and where it is.

    Raises:
        ValueError: it has a label with another value than the driver's, or an annotation that is no JSON object.
    """
    for key, value in topology.items():
        if (known := node.metadata.labels.get(key, value)) != value:
            text = f'driver reported "{key}":"{value}" but existing label is "{key}":"{known}"'
            raise ValueError(f"detected topology value collision: {text}")
    patch: dict[str, Any] = {}
    if (annotation := _node_ids(node, driver, node_id)) != node.metadata.annotations.get(NODE_IDS):
        patch["annotations"] = {NODE_IDS: annotation}
    if any(key not in node.metadata.labels for key in topology):
        patch["labels"] = dict(topology)
    return patch


def _node_ids(node: Node, driver: str, node_id: str) -> str | None:
    text = node.metadata.annotations.get(NODE_IDS, "")
    known = json.loads(text) if text else {}
    if not isinstance(known, dict):
        raise ValueError(f"the node's annotation {NODE_IDS} is no JSON object: {text}")  # noqa: TRY004 - bad input
    known.pop(driver, None)
    if node_id:
        known[driver] = node_id
    return json.dumps(known, separators=(",", ":"), sort_keys=True) if known else None
