"""Every kind that is served, an object of each, and what the write path makes of one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from apiserver import schemas
from apiserver.core import kinds, writes
from apiserver.core.kind import Kind
from apiserver.core.table import Moment
from apiserver.core.values import Json
from machinery.model.errors import Invalid
from tests.support.pod_specs import CONTEXT

NOW_S: Final = 1767225660.0  # one minute after the moment of CONTEXT

KINDS: Final = {kind.kind: kind for kind in kinds.KINDS.values()}
"""By the name of the kind, in the version that is stored."""


REQUEST: Final = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWE1IOENBUUF3SFRFTU1Bb0dBMVVFQXd3RFlXNXVNUTB3Q3dZ"
    "RFZRUUtEQVJ6YUc5d01Ga3dFd1lIS29aSQp6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVLV1Jva2RVcWNtd1hNdmhxbmg1dmo4OTVV"
    "VmVwTms0aE1kVVN3QzNzCkVOQVFkYWxTV25reGxWcnRtQ1oydkNKYmMyQ3BkZEliNjhKQmRFWHhWZEtDLzZBQU1Bb0dDQ3FHU000"
    "OUJBTUMKQTBnQU1FVUNJR1Y5MEwyRi9VMDZuM3k1SGt4b2xoUlliRUpRSEJEdHhiQkFER0pUSlBzbkFpRUFrbk80SzRYUAo3bXJl"
    "eGhCd1RXZzR4dzEzdUFxTjdpaHg1RncvczNibFBFZz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="
)
"""A request for a certificate, of CN=ann, O=shop, that its key has signed, as it stands in a spec."""

_RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"]}
_WEBHOOK = {
    "name": "a.example.com",
    "clientConfig": {"service": {"namespace": "default", "name": "web"}},
    "rules": [_RULE],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "matchConditions": [{"name": "a", "expression": "true"}],
}
_DEVICES = {
    "devices": {
        "requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}],
        "constraints": [{"requests": ["gpu"], "matchAttribute": "example.com/model"}],
    }
}
_POD = {"containers": [{"name": "main", "image": "app:1"}]}
_LABELS = {"metadata": {"labels": {"app": "web"}}}
_SELECTOR = {"matchLabels": {"app": "web"}}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_ABOUT = {"kind": "Pod", "namespace": "default", "name": "web"}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
EXAMPLES: Final[dict[str, Json]] = {
    "APIService": {"metadata": {"name": "v1.example.com"}, "spec": {"group": "example.com", "version": "v1", "service": {"namespace": "default", "name": "web"}, "groupPriorityMinimum": 100, "versionPriority": 10}},
    "CSIDriver": {"spec": {"tokenRequests": [{"audience": "a"}]}},
    "CSINode": {"spec": {"drivers": [{"name": "csi.example.com", "nodeID": "n", "topologyKeys": ["example.com/zone"]}]}},
    "CSIStorageCapacity": {"storageClassName": "fast", "capacity": "1Gi", "nodeTopology": _SELECTOR},
    "CertificateSigningRequest": {"spec": {"request": REQUEST, "signerName": "example.com/signer", "usages": ["client auth"]}},
    "ClusterRole": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "ClusterRoleBinding": {"roleRef": _ROLE, "subjects": [{"kind": "User", "name": "ann"}]},
    "ConfigMap": {"data": {"a": "b"}},
    "ControllerRevision": {"revision": 1, "data": {"spec": {}}},
    "CronJob": {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}}}},
    "CustomResourceDefinition": {"metadata": {"name": "toys.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "toys", "kind": "Toy"}, "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}},
    "DaemonSet": {"spec": {"selector": _SELECTOR, "template": {**_LABELS, "spec": _POD}}},
    "Deployment": {"spec": {"selector": _SELECTOR, "template": {**_LABELS, "spec": _POD}}},
    "DeviceClass": {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"port": 80}]},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    "Event": {"involvedObject": _ABOUT, "reason": "Started", "message": "m", "type": "Normal"},
    "FlowSchema": {"spec": {"priorityLevelConfiguration": {"name": "workload-low"}, "rules": [{"subjects": [{"kind": "User", "user": {"name": "ann"}}], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/version"]}]}]}},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 2, "behavior": {}}},
    "IPAddress": {"metadata": {"name": "10.0.0.5"}, "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "example.com/x", "parameters": {"kind": "A", "name": "b"}}},
    "Job": {"spec": {"template": {**_LABELS, "spec": {**_POD, "restartPolicy": "Never"}}}},
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "MutatingAdmissionPolicy": {"spec": {"matchConstraints": {"resourceRules": [_RULE]}, "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]}},
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "x", "paramRef": {"name": "y"}}},
    "MutatingWebhookConfiguration": {"webhooks": [_WEBHOOK]},
    "Namespace": {},
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    "Node": {"spec": {"podCIDR": "10.1.0.0/24"}},
    "PersistentVolume": {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/d"}}},
    "PersistentVolumeClaim": {"spec": _CLAIM},
    "Pod": {"spec": _POD},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": _SELECTOR}},
    "PodTemplate": {"template": {**_LABELS, "spec": _POD}},
    "PriorityClass": {"value": 5},
    "PriorityLevelConfiguration": {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}},
    "ReplicaSet": {"spec": {"selector": _SELECTOR, "template": {**_LABELS, "spec": _POD}}},
    "ReplicationController": {"spec": {"template": {**_LABELS, "spec": _POD}}},
    "ResourceClaim": {"spec": _DEVICES},
    "ResourceClaimTemplate": {"spec": {"spec": _DEVICES}},
    "ResourceQuota": {"spec": {"hard": {"pods": "5"}}},
    "ResourceSlice": {"spec": {"driver": "gpu.example.com", "nodeName": "n", "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": "gpu-0", "attributes": {"model": {"string": "x"}}}]}},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "RoleBinding": {"roleRef": _ROLE, "subjects": [{"kind": "User", "name": "ann"}]},
    "RuntimeClass": {"handler": "runsc"},
    "Secret": {"data": {"a": "Yg=="}},
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}},
    "ServiceCIDR": {"spec": {"cidrs": ["10.200.0.0/16"]}},
    "ServiceAccount": {},
    "StatefulSet": {"spec": {"selector": _SELECTOR, "serviceName": "web", "template": {**_LABELS, "spec": _POD}, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _CLAIM}]}},
    "StorageClass": {"provisioner": "example.com/disk"},
    "ValidatingAdmissionPolicy": {"spec": {"matchConstraints": {"resourceRules": [_RULE]}, "validations": [{"expression": "true"}]}},
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "x", "validationActions": ["Deny"], "matchResources": {}}},
    "ValidatingWebhookConfiguration": {"webhooks": [_WEBHOOK]},
    "VolumeAttachment": {"spec": {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}},
    "VolumeAttributesClass": {"driverName": "csi.example.com", "parameters": {"iops": "100"}},
}  # fmt: skip
"""What makes an object of each kind, by the name of the kind."""


def example(kind: Kind) -> Json:
    """Return an object of the kind that is taken."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "x"},
        **EXAMPLES[kind.kind],
    }


def kind_of(obj: Json) -> Kind:
    """Return the kind of an object."""
    return KINDS[obj["kind"]]


def read(obj: Json) -> Json:
    """Normalize and default an object, as the write path does before admission."""
    return writes.read(schemas.load(), kind_of(obj), deepcopy(obj), namespace="default").obj


def created(obj: Json) -> Json:
    """Return the object that would be stored."""
    return writes.create(kind_of(obj), read(obj), CONTEXT)


def updated(new: Json, old: Json) -> Json:
    """Return the object that would be stored in place of `old`."""
    return writes.update(kind_of(old), read(new), old, CONTEXT)


def with_status(old: Json, **status: Any) -> Json:
    """Return the object that a write of this status would store."""
    return writes.update_status(kind_of(old), read({**old, "status": status}), old, CONTEXT)


def complaints(obj: Json) -> list[str]:
    """Return what a create is refused for: "path: message"; [] where it is not."""
    try:
        created(obj)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def update_complaints(new: Json, old: Json) -> list[str]:
    """Return what an update is refused for."""
    try:
        updated(new, old)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def status_complaints(old: Json, **status: Any) -> list[str]:
    """Return what a write of this status is refused for."""
    try:
        with_status(old, **status)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def row(obj: Json) -> dict[str, Any]:
    """Return what kubectl prints of an object, a minute after it was made."""
    table = kind_of(obj).rules.table
    cells = table.row(obj, Moment(NOW_S))
    return dict(zip([column.name for column in table.columns], cells, strict=True))


def merged(base: Json, **changes: Any) -> Json:
    """Return an object with fields of its spec changed; None takes one away."""
    own = {name: value for name, value in {**base.get("spec", {}), **changes}.items() if value is not None}
    return {**base, "spec": own}
