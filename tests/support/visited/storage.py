"""Claims, volumes and devices."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.visited.objects import Json, made, named, owned_by
from tests.support.visited.workloads import pod


def claim(index: int, *, bound: bool = True, **metadata: Any) -> Json:
    """Return a claim: one that is bound to a volume, or one that waits for one."""
    notes = {"pv.kubernetes.io/bind-completed": "yes"} if bound else {}
    protected = {"finalizers": ["kubernetes.io/pvc-protection"], "annotations": notes, **metadata}
    spec = {"storageClassName": f"class-{index}", "resources": {"requests": {"storage": "1Gi"}}}
    return made(
        "v1",
        "PersistentVolumeClaim",
        f"data-{index}",
        metadata=protected,
        spec=spec | ({"volumeName": f"pv-{index}"} if bound else {}),
        status={"phase": "Bound", "capacity": {"storage": "1Gi"}} if bound else {"phase": "Pending"},
    )


def volume(index: int, phase: str = "Bound") -> Json:
    """Return a claim's volume, or one that is free."""
    reference = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": f"data-{index}"}
    source = {"driver": f"disks-{index}.example.com", "volumeHandle": f"vol-{index}"}
    spec = {"storageClassName": f"class-{index}", "capacity": {"storage": "1Gi"}, "csi": source}
    if phase == "Bound":
        spec |= {"claimRef": reference | {"uid": claim(index)["metadata"]["uid"]}}
    return made("v1", "PersistentVolume", f"pv-{index}", "", spec=spec, status={"phase": phase})


def driver(index: int, *, attaches: bool = True) -> Json:
    """Return the driver of a volume."""
    kind = ("storage.k8s.io/v1", "CSIDriver")
    return made(*kind, f"disks-{index}.example.com", "", spec={"attachRequired": attaches})


def attachment(index: int, *, attached: bool = True) -> Json:
    """Return the attachment of a volume that no pod uses."""
    name = f"vol-{index}disks-{index}.example.comnode-{index}"
    source = {"persistentVolumeName": f"pv-{index}"}
    spec = {"attacher": f"disks-{index}.example.com", "nodeName": f"node-{index}", "source": source}
    kind = ("storage.k8s.io/v1", "VolumeAttachment")
    digest = hashlib.sha256(name.encode()).hexdigest()
    return made(*kind, f"csi-{digest}", "", spec=spec, status={"attached": attached})


def storage_class(index: int, **notes: str) -> Json:
    """Return a class of volumes."""
    kind = ("storage.k8s.io/v1", "StorageClass")
    fields = {"provisioner": "example.com/disks", "volumeBindingMode": "Immediate"}
    return made(*kind, f"class-{index}", "", metadata={"annotations": notes}, **fields)


def claim_template(index: int) -> Json:
    """Return a template of claims of devices."""
    request = {"name": "card", "exactly": {"deviceClassName": "card"}}
    spec = {"spec": {"devices": {"requests": [request]}}}
    return made("resource.k8s.io/v1", "ResourceClaimTemplate", f"card-{index}", spec=spec)


def device_pod(index: int, phase: str = "Running") -> Json:
    """Return a pod with a claim of devices that was made for it."""
    claims = [{"name": "card", "resourceClaimTemplateName": f"card-{index}"}]
    made = [{"name": "card", "resourceClaimName": f"cards-{index}-x"}]
    status = {"phase": phase, "resourceClaimStatuses": made}
    return named(pod(index, owned=False, spec={"resourceClaims": claims}, status=status), f"cards-{index}")


def device_claim(index: int, **status: Any) -> Json:
    """Return the claim that was made for it."""
    user = {"resource": "pods", "name": f"cards-{index}", "uid": f"uid-cards-{index}"}
    notes = {"resource.kubernetes.io/pod-claim-name": "card"}
    metadata = {"ownerReferences": owned_by(device_pod(index)), "annotations": notes}
    spec = claim_template(index)["spec"]["spec"]
    status = {"allocation": {}, "reservedFor": [user]} | status
    kind = ("resource.k8s.io/v1", "ResourceClaim")
    return made(*kind, f"cards-{index}-x", metadata=metadata, spec=spec, status=status)
