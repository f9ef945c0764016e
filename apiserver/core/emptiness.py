"""Which empty values Kubernetes does not store.

Its schemas do not say it: it follows from its Go types. An optional string, list or map is left out when empty,
unless its type is a pointer; a number or boolean is kept when zero, unless its type is a plain value. Both
exceptions stand here, by the last part of the definition's name, for the kinds that have rules; where another group has
another type of that name, by the last three.
"""

from __future__ import annotations

from typing import Final

KEPT_WHEN_EMPTY: Final[dict[str, frozenset[str]]] = {
    "CronJobSpec": frozenset({"timeZone"}),
    "AllocatedDeviceStatus": frozenset({"shareID"}),
    "CSIDriverSpec": frozenset({"fsGroupPolicy"}),
    "CustomResourceDefinitionVersion": frozenset({"deprecationWarning"}),
    "Device": frozenset({"nodeName"}),
    "DeviceAttribute": frozenset({"string", "version"}),
    "DeviceClassSpec": frozenset({"extendedResourceName"}),
    "DeviceConstraint": frozenset({"distinctAttribute", "matchAttribute"}),
    "DeviceRequestAllocationResult": frozenset({"shareID"}),
    "Endpoint": frozenset({"hostname", "nodeName", "zone"}),
    "EndpointPort": frozenset({"appProtocol", "name", "protocol"}),
    "core.v1.EndpointPort": frozenset({"appProtocol"}),
    "GRPCAction": frozenset({"service"}),
    "HPAScalingRules": frozenset({"selectPolicy"}),
    "HTTPIngressPath": frozenset({"pathType"}),
    "HostPathVolumeSource": frozenset({"type"}),
    "IngressClassParametersReference": frozenset({"apiGroup", "namespace", "scope"}),
    "IngressSpec": frozenset({"ingressClassName"}),
    "JobSpec": frozenset({"completionMode", "managedBy", "podReplacementPolicy"}),
    "JobStatus": frozenset({"failedIndexes"}),
    "LeaseSpec": frozenset({"holderIdentity", "preferredHolder", "strategy"}),
    "MutatingWebhook": frozenset({"failurePolicy", "matchPolicy", "reinvocationPolicy", "sideEffects"}),
    "NetworkPolicyPort": frozenset({"protocol"}),
    "PersistentVolumeClaimSpec": frozenset({"storageClassName", "volumeAttributesClassName", "volumeMode"}),
    "PersistentVolumeSpec": frozenset({"volumeAttributesClassName", "volumeMode"}),
    "PodDNSConfigOption": frozenset({"value"}),
    "PodDisruptionBudgetSpec": frozenset({"unhealthyPodEvictionPolicy"}),
    "PodFailurePolicyOnExitCodesRequirement": frozenset({"containerName"}),
    "PodSpec": frozenset({"preemptionPolicy", "runtimeClassName", "hostnameOverride"}),
    "PriorityClass": frozenset({"preemptionPolicy"}),
    "ResourceSliceSpec": frozenset({"nodeName"}),
    "ServicePort": frozenset({"appProtocol"}),
    "ServiceSpec": frozenset({"loadBalancerClass", "trafficDistribution"}),
    "StorageClass": frozenset({"reclaimPolicy", "volumeBindingMode"}),
    "SuccessPolicyRule": frozenset({"succeededIndexes"}),
    "TypedLocalObjectReference": frozenset({"apiGroup"}),
    "TypedObjectReference": frozenset({"apiGroup", "namespace"}),
    "ValidatingWebhook": frozenset({"failurePolicy", "matchPolicy", "sideEffects"}),
    "AzureDiskVolumeSource": frozenset({"cachingMode", "fsType", "kind"}),
    "AzureFilePersistentVolumeSource": frozenset({"secretNamespace"}),
    "CSIVolumeSource": frozenset({"fsType"}),
    "GlusterfsPersistentVolumeSource": frozenset({"endpointsNamespace"}),
    "ISCSIPersistentVolumeSource": frozenset({"initiatorName"}),
    "ISCSIVolumeSource": frozenset({"initiatorName"}),
}

LEFT_OUT_WHEN_ZERO: Final[dict[str, frozenset[str]]] = {
    "CSIPersistentVolumeSource": frozenset({"readOnly"}),
    "Container": frozenset({"stdin", "stdinOnce", "tty"}),
    "ContainerPort": frozenset({"hostPort"}),
    "DaemonSetSpec": frozenset({"minReadySeconds"}),
    "DaemonSetStatus": frozenset(
        {"numberAvailable", "numberUnavailable", "observedGeneration", "updatedNumberScheduled"},
    ),
    "DeploymentSpec": frozenset({"minReadySeconds", "paused"}),
    "DeploymentStatus": frozenset(
        {
            "availableReplicas",
            "observedGeneration",
            "readyReplicas",
            "replicas",
            "unavailableReplicas",
            "updatedReplicas",
        },
    ),
    "Event": frozenset({"count", "deprecatedCount"}),
    "HorizontalPodAutoscalerStatus": frozenset({"currentReplicas"}),
    "JobStatus": frozenset({"active", "failed", "succeeded"}),
    "NFSVolumeSource": frozenset({"readOnly"}),
    "NodeSpec": frozenset({"unschedulable"}),
    "ObjectMeta": frozenset({"generation"}),
    "PodCondition": frozenset({"observedGeneration"}),
    "PodDisruptionBudgetStatus": frozenset({"observedGeneration"}),
    "PodSpec": frozenset({"hostIPC", "hostNetwork", "hostPID"}),
    "PodStatus": frozenset({"observedGeneration"}),
    "PriorityClass": frozenset({"globalDefault"}),
    "Probe": frozenset(
        {"failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"},
    ),
    "ReplicaSetSpec": frozenset({"minReadySeconds"}),
    "ReplicaSetStatus": frozenset(
        {"availableReplicas", "fullyLabeledReplicas", "observedGeneration", "readyReplicas"},
    ),
    "ReplicationControllerSpec": frozenset({"minReadySeconds"}),
    "ReplicationControllerStatus": frozenset(
        {"availableReplicas", "fullyLabeledReplicas", "observedGeneration", "readyReplicas"},
    ),
    "ScaleSpec": frozenset({"replicas"}),
    "ServiceBackendPort": frozenset({"number"}),
    "ServicePort": frozenset({"nodePort"}),
    "ServiceSpec": frozenset({"healthCheckNodePort", "publishNotReadyAddresses"}),
    "StatefulSetSpec": frozenset({"minReadySeconds"}),
    "StatefulSetStatus": frozenset({"currentReplicas", "readyReplicas", "updatedReplicas"}),
    "VolumeMount": frozenset({"readOnly"}),
    "AWSElasticBlockStoreVolumeSource": frozenset({"partition", "readOnly"}),
    "AzureFilePersistentVolumeSource": frozenset({"readOnly"}),
    "AzureFileVolumeSource": frozenset({"readOnly"}),
    "CephFSPersistentVolumeSource": frozenset({"readOnly"}),
    "CephFSVolumeSource": frozenset({"readOnly"}),
    "CinderPersistentVolumeSource": frozenset({"readOnly"}),
    "CinderVolumeSource": frozenset({"readOnly"}),
    "FCVolumeSource": frozenset({"readOnly"}),
    "FlexPersistentVolumeSource": frozenset({"readOnly"}),
    "FlexVolumeSource": frozenset({"readOnly"}),
    "GCEPersistentDiskVolumeSource": frozenset({"partition", "readOnly"}),
    "GlusterfsPersistentVolumeSource": frozenset({"readOnly"}),
    "GlusterfsVolumeSource": frozenset({"readOnly"}),
    "ISCSIPersistentVolumeSource": frozenset({"chapAuthDiscovery", "chapAuthSession", "readOnly"}),
    "ISCSIVolumeSource": frozenset({"chapAuthDiscovery", "chapAuthSession", "readOnly"}),
    "PortworxVolumeSource": frozenset({"readOnly"}),
    "QuobyteVolumeSource": frozenset({"readOnly"}),
    "RBDPersistentVolumeSource": frozenset({"readOnly"}),
    "RBDVolumeSource": frozenset({"readOnly"}),
    "ScaleIOPersistentVolumeSource": frozenset({"readOnly", "sslEnabled"}),
    "ScaleIOVolumeSource": frozenset({"readOnly", "sslEnabled"}),
    "StorageOSPersistentVolumeSource": frozenset({"readOnly"}),
    "StorageOSVolumeSource": frozenset({"readOnly"}),
}


def kept_when_empty(definition: str) -> frozenset[str]:
    """Return the fields of a definition, by its whole name, that are stored although they are empty."""
    parts = definition.split(".")
    return KEPT_WHEN_EMPTY.get(".".join(parts[-3:]), KEPT_WHEN_EMPTY.get(parts[-1], frozenset()))
