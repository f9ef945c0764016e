"""Which empty values Kubernetes does not store.

Its schemas do not say it: it follows from its Go types. An optional string, list or map is left out when empty,
unless its type is a pointer; a number or boolean is kept when zero, unless its type is a plain value. Both
exceptions stand here, by the last part of the definition's name, for the kinds that Kubarium stores.
"""

from __future__ import annotations

from typing import Final

KEPT_WHEN_EMPTY: Final[dict[str, frozenset[str]]] = {
    "Endpoint": frozenset({"hostname", "nodeName", "zone"}),
    "EndpointPort": frozenset({"appProtocol", "name", "protocol"}),
    "GRPCAction": frozenset({"service"}),
    "HostPathVolumeSource": frozenset({"type"}),
    "LeaseSpec": frozenset({"holderIdentity", "preferredHolder", "strategy"}),
    "PodDNSConfigOption": frozenset({"value"}),
    "PodSpec": frozenset({"preemptionPolicy", "runtimeClassName", "hostnameOverride"}),
    "ServicePort": frozenset({"appProtocol"}),
    "ServiceSpec": frozenset({"loadBalancerClass", "trafficDistribution"}),
}

LEFT_OUT_WHEN_ZERO: Final[dict[str, frozenset[str]]] = {
    "Container": frozenset({"stdin", "stdinOnce", "tty"}),
    "ContainerPort": frozenset({"hostPort"}),
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
    "Event": frozenset({"count"}),
    "NodeSpec": frozenset({"unschedulable"}),
    "ObjectMeta": frozenset({"generation"}),
    "PodCondition": frozenset({"observedGeneration"}),
    "PodSpec": frozenset({"hostIPC", "hostNetwork", "hostPID"}),
    "PodStatus": frozenset({"observedGeneration"}),
    "Probe": frozenset(
        {"failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"},
    ),
    "ReplicaSetSpec": frozenset({"minReadySeconds"}),
    "ReplicaSetStatus": frozenset(
        {"availableReplicas", "fullyLabeledReplicas", "observedGeneration", "readyReplicas"},
    ),
    "ScaleSpec": frozenset({"replicas"}),
    "ServicePort": frozenset({"nodePort"}),
    "ServiceSpec": frozenset({"healthCheckNodePort", "publishNotReadyAddresses"}),
    "VolumeMount": frozenset({"readOnly"}),
}
