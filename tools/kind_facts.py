"""What is known of the kinds that are served and stands in no schema: one line a kind.

The facts are those of Kubernetes' own discovery. Group, version and kind are in the schema, and so is whether there is
a status; `tools/gen_kinds.py` writes `machinery/model/k8s/served.py` from both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMAS: Final = "io.k8s.api."
EXTENSIONS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."


@dataclass(frozen=True)
class Fact:
    """What discovery says of a kind."""

    schema: str  # the definition's name, without SCHEMAS: "core.v1.Pod"; whole where it is another package's
    plural: str = ""  # "": by the rules of English
    short: str = ""  # short names, by spaces
    categories: str = ""  # by spaces
    subresources: str = ""  # of PARTS, by spaces; a status is found by the schema
    cluster: bool = False  # cluster-scoped, not in namespaces
    lacks: str = ""  # verbs that it does not have, by spaces
    stored_as: str = ""  # the schema of the version that is stored, which stands before it; "": this one
    warning: str = ""  # what every answer about it warns of


@dataclass(frozen=True)
class Part:
    """A subresource."""

    verbs: str
    schema: str = ""  # of what is written there; "": the object itself
    kind: str = ""  # where its schema is not published; {} is the object's own kind
    older: str = ""  # other apiVersions of the same that are accepted there, by spaces


PARTS: Final = {
    "approval": Part("get patch update"),
    "attach": Part("create get", kind="PodAttachOptions"),
    "binding": Part("create", "core.v1.Binding"),
    "ephemeralcontainers": Part("get patch update"),
    "eviction": Part("create", "policy.v1.Eviction", older="policy/v1beta1"),
    "exec": Part("create get", kind="PodExecOptions"),
    "finalize": Part("update"),
    "log": Part("get"),
    "portforward": Part("create get", kind="PodPortForwardOptions"),
    "proxy": Part("create delete get patch update", kind="{}ProxyOptions"),
    "resize": Part("get patch update"),
    "scale": Part("get patch update", "autoscaling.v1.Scale"),
    "status": Part("get patch update"),
    "token": Part("create", "authentication.v1.TokenRequest"),
}

STORED: Final = (
    Fact("core.v1.Namespace", short="ns", cluster=True, lacks="deletecollection", subresources="finalize"),
    Fact("core.v1.Node", short="no", cluster=True, subresources="proxy"),
    Fact("core.v1.Pod", short="po", categories="all", subresources="attach binding ephemeralcontainers eviction exec log portforward proxy resize"),
    Fact("core.v1.Service", short="svc", categories="all", subresources="proxy"),
    Fact("core.v1.Endpoints", plural="endpoints", short="ep"),
    Fact("core.v1.ConfigMap", short="cm"),
    Fact("core.v1.Secret"),
    Fact("core.v1.ServiceAccount", short="sa", subresources="token"),
    Fact("core.v1.Event", short="ev"),
    Fact("core.v1.ReplicationController", short="rc", categories="all", subresources="scale"),
    Fact("core.v1.PodTemplate"),
    Fact("core.v1.LimitRange", short="limits"),
    Fact("core.v1.ResourceQuota", short="quota"),
    Fact("core.v1.PersistentVolume", short="pv", cluster=True),
    Fact("core.v1.PersistentVolumeClaim", short="pvc"),
    Fact("apps.v1.Deployment", short="deploy", categories="all", subresources="scale"),
    Fact("apps.v1.ReplicaSet", short="rs", categories="all", subresources="scale"),
    Fact("apps.v1.StatefulSet", short="sts", categories="all", subresources="scale"),
    Fact("apps.v1.DaemonSet", short="ds", categories="all"),
    Fact("apps.v1.ControllerRevision"),
    Fact("batch.v1.Job", categories="all"),
    Fact("batch.v1.CronJob", short="cj", categories="all"),
    Fact("autoscaling.v2.HorizontalPodAutoscaler", short="hpa", categories="all"),
    Fact("autoscaling.v1.HorizontalPodAutoscaler", short="hpa", categories="all", stored_as="autoscaling.v2.HorizontalPodAutoscaler"),
    Fact("policy.v1.PodDisruptionBudget", short="pdb"),
    Fact("networking.v1.Ingress", short="ing"),
    Fact("networking.v1.IngressClass", cluster=True),
    Fact("networking.v1.NetworkPolicy", short="netpol"),
    Fact("networking.v1.IPAddress", short="ip", cluster=True),
    Fact("networking.v1.ServiceCIDR", cluster=True),
    Fact("scheduling.v1.PriorityClass", short="pc", cluster=True),
    Fact("storage.v1.StorageClass", short="sc", cluster=True),
    Fact("storage.v1.VolumeAttachment", cluster=True),
    Fact("storage.v1.VolumeAttributesClass", short="vac", cluster=True),
    Fact("storage.v1.CSIDriver", cluster=True),
    Fact("storage.v1.CSINode", cluster=True),
    Fact("storage.v1.CSIStorageCapacity"),
    Fact("node.v1.RuntimeClass", cluster=True),
    Fact("coordination.v1.Lease"),
    Fact("discovery.v1.EndpointSlice"),
    Fact("rbac.v1.Role"),
    Fact("rbac.v1.RoleBinding"),
    Fact("rbac.v1.ClusterRole", cluster=True),
    Fact("rbac.v1.ClusterRoleBinding", cluster=True),
    Fact(f"{EXTENSIONS}v1.CustomResourceDefinition", short="crd crds", categories="api-extensions", cluster=True),
    Fact("events.v1.Event", short="ev", stored_as="core.v1.Event"),
    Fact("certificates.v1.CertificateSigningRequest", short="csr", cluster=True, subresources="approval"),
    Fact("resource.v1.ResourceClaim"),
    Fact("resource.v1.ResourceClaimTemplate"),
    Fact("resource.v1.DeviceClass", cluster=True),
    Fact("resource.v1.ResourceSlice", cluster=True),
    Fact("flowcontrol.v1.FlowSchema", cluster=True),
    Fact("flowcontrol.v1.PriorityLevelConfiguration", cluster=True),
    Fact("admissionregistration.v1.ValidatingWebhookConfiguration", categories="api-extensions", cluster=True),
    Fact("admissionregistration.v1.MutatingWebhookConfiguration", categories="api-extensions", cluster=True),
    Fact("admissionregistration.v1.ValidatingAdmissionPolicy", categories="api-extensions", cluster=True),
    Fact("admissionregistration.v1.ValidatingAdmissionPolicyBinding", categories="api-extensions", cluster=True),
    Fact("admissionregistration.v1.MutatingAdmissionPolicy", categories="api-extensions", cluster=True),
    Fact("admissionregistration.v1.MutatingAdmissionPolicyBinding", categories="api-extensions", cluster=True),
    Fact("io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService", categories="api-extensions", cluster=True),
)  # fmt: skip
"""Kinds whose objects are kept."""

NO_PLACES: Final = ("authentication.v1.TokenRequest", "autoscaling.v1.Scale", "policy.v1.Eviction")
"""Kinds that are read and written below objects of others only."""

POSTED: Final = (Fact("core.v1.Binding"),)
COMPUTED: Final = (
    Fact("core.v1.ComponentStatus", plural="componentstatuses", short="cs", cluster=True, lacks="create delete deletecollection patch update watch", warning="v1 ComponentStatus is deprecated in v1.19+"),
)  # fmt: skip
"""Kinds whose objects are made when they are read."""
REVIEWS: Final = (
    Fact("authentication.v1.SelfSubjectReview", cluster=True),
    Fact("authentication.v1.TokenReview", cluster=True),
    Fact("authorization.v1.LocalSubjectAccessReview"),
    Fact("authorization.v1.SelfSubjectAccessReview", cluster=True),
    Fact("authorization.v1.SelfSubjectRulesReview", cluster=True),
    Fact("authorization.v1.SubjectAccessReview", cluster=True),
)
"""Kinds whose objects are answered, not kept: they can only be created."""
