"""What Kubernetes v1.36.0 has and is not served, made by tools/gen_kinds.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

from typing import Final

KINDS: Final[dict[tuple[str, str, str], str]] = {
    ("admissionregistration.k8s.io", "v1alpha1", "mutatingadmissionpolicies"): "MutatingAdmissionPolicy",
    ("admissionregistration.k8s.io", "v1alpha1", "mutatingadmissionpolicybindings"): "MutatingAdmissionPolicyBinding",
    ("admissionregistration.k8s.io", "v1beta1", "mutatingadmissionpolicies"): "MutatingAdmissionPolicy",
    ("admissionregistration.k8s.io", "v1beta1", "mutatingadmissionpolicybindings"): "MutatingAdmissionPolicyBinding",
    ("certificates.k8s.io", "v1alpha1", "clustertrustbundles"): "ClusterTrustBundle",
    ("certificates.k8s.io", "v1beta1", "clustertrustbundles"): "ClusterTrustBundle",
    ("certificates.k8s.io", "v1beta1", "podcertificaterequests"): "PodCertificateRequest",
    ("coordination.k8s.io", "v1alpha2", "leasecandidates"): "LeaseCandidate",
    ("coordination.k8s.io", "v1beta1", "leasecandidates"): "LeaseCandidate",
    ("internal.apiserver.k8s.io", "v1alpha1", "storageversions"): "StorageVersion",
    ("networking.k8s.io", "v1beta1", "ipaddresses"): "IPAddress",
    ("networking.k8s.io", "v1beta1", "servicecidrs"): "ServiceCIDR",
    ("resource.k8s.io", "v1alpha3", "devicetaintrules"): "DeviceTaintRule",
    ("resource.k8s.io", "v1alpha3", "resourcepoolstatusrequests"): "ResourcePoolStatusRequest",
    ("resource.k8s.io", "v1beta1", "deviceclasses"): "DeviceClass",
    ("resource.k8s.io", "v1beta1", "resourceclaims"): "ResourceClaim",
    ("resource.k8s.io", "v1beta1", "resourceclaimtemplates"): "ResourceClaimTemplate",
    ("resource.k8s.io", "v1beta1", "resourceslices"): "ResourceSlice",
    ("resource.k8s.io", "v1beta2", "deviceclasses"): "DeviceClass",
    ("resource.k8s.io", "v1beta2", "devicetaintrules"): "DeviceTaintRule",
    ("resource.k8s.io", "v1beta2", "resourceclaims"): "ResourceClaim",
    ("resource.k8s.io", "v1beta2", "resourceclaimtemplates"): "ResourceClaimTemplate",
    ("resource.k8s.io", "v1beta2", "resourceslices"): "ResourceSlice",
    ("scheduling.k8s.io", "v1alpha2", "podgroups"): "PodGroup",
    ("scheduling.k8s.io", "v1alpha2", "workloads"): "Workload",
    ("storage.k8s.io", "v1beta1", "volumeattributesclasses"): "VolumeAttributesClass",
    ("storagemigration.k8s.io", "v1beta1", "storageversionmigrations"): "StorageVersionMigration",
}
"""Kinds by group, version and plural."""
