"""The values of fields that have a closed set of them, as documents list them: `kubectl explain` shows ENUM.

The published schemas leave them out, since clients that are generated from those refused what newer servers say. A server
has them in its own documents: those of the types that Kubernetes marks as enumerations (`+enum` in its API's sources).
https://kubernetes.io/docs/reference/kubernetes-api/ lists them as "Possible enum values".
"""

from __future__ import annotations

from typing import Final

from apiserver.core.key_usages import KEY_USAGES
from apiserver.core.values import Json

_CORE: Final = "io.k8s.api.core.v1."
_APPS: Final = "io.k8s.api.apps.v1."
_BATCH: Final = "io.k8s.api.batch.v1."
_HOOKS: Final = "io.k8s.api.admissionregistration.v1."
_NET: Final = "io.k8s.api.networking.v1."
_DEVICES: Final = "io.k8s.api.resource.v1."
_PROTOCOL: Final = "SCTP TCP UDP"
_EFFECT: Final = "NoExecute NoSchedule PreferNoSchedule"
_OPERATOR: Final = "DoesNotExist Exists In NotIn"
_POLICY: Final = "Cluster Local"
_ROLLING: Final = "OnDelete RollingUpdate"
_FAILURE: Final = "Fail Ignore"
_MATCHING: Final = "Equivalent Exact"
_EFFECTS: Final = "None NoneOnDryRun Some Unknown"
_RECLAIM: Final = "Delete Recycle Retain"
_PREEMPTION: Final = "Never PreemptLowerPriority"
_MODE: Final = "Block Filesystem"
_PROFILE: Final = "Localhost RuntimeDefault Unconfined"
_PULL: Final = "Always IfNotPresent Never"
_MESSAGE: Final = "FallbackToLogsOnError File"
_INCLUSION: Final = "Honor Ignore"
_RETENTION: Final = "Delete Retain"
_ALLOCATION: Final = "All ExactCount"
_DEVICE_EFFECT: Final = "NoExecute NoSchedule None"
_SCOPES: Final = (
    "BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass Terminating"
    " VolumeAttributesClass"
)
_ACCESS: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_REALTIME: Final = (
    "SIGRTMAX",
    *sorted(f"SIGRTMAX-{number}" for number in range(1, 15)),
    "SIGRTMIN",
    *sorted(f"SIGRTMIN+{number}" for number in range(1, 16)),
)
_SIGNALS: Final = (
    "SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL"
    f" SIGPROF SIGPWR SIGQUIT {' '.join(_REALTIME)} SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN"
    " SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ"
)

_FIELDS: Final[dict[str, dict[str, str]]] = {
    f"{_CORE}AppArmorProfile": {"type": _PROFILE},
    f"{_CORE}AzureDiskVolumeSource": {
        "cachingMode": "None ReadOnly ReadWrite",
        "kind": "Dedicated Managed Shared",
    },
    f"{_CORE}Container": {"imagePullPolicy": _PULL, "terminationMessagePolicy": _MESSAGE},
    f"{_CORE}ContainerPort": {"protocol": _PROTOCOL},
    f"{_CORE}ContainerStatus": {"stopSignal": _SIGNALS},
    f"{_CORE}EndpointPort": {"protocol": _PROTOCOL},
    f"{_CORE}EphemeralContainer": {"imagePullPolicy": _PULL, "terminationMessagePolicy": _MESSAGE},
    f"{_CORE}HTTPGetAction": {"scheme": "HTTP HTTPS"},
    f"{_CORE}HostPathVolumeSource": {
        "type": " BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket"
    },
    f"{_CORE}ImageVolumeSource": {"pullPolicy": _PULL},
    f"{_CORE}Lifecycle": {"stopSignal": _SIGNALS},
    f"{_CORE}ModifyVolumeStatus": {"status": "InProgress Infeasible Pending"},
    f"{_CORE}NamespaceStatus": {"phase": "Active Terminating"},
    f"{_CORE}NodeSelectorRequirement": {"operator": "DoesNotExist Exists Gt In Lt NotIn"},
    f"{_CORE}NodeStatus": {"phase": "Pending Running Terminated"},
    f"{_CORE}PersistentVolumeClaimSpec": {"volumeMode": _MODE},
    f"{_CORE}PersistentVolumeClaimStatus": {"phase": "Bound Lost Pending"},
    f"{_CORE}PersistentVolumeSpec": {"persistentVolumeReclaimPolicy": _RECLAIM, "volumeMode": _MODE},
    f"{_CORE}PersistentVolumeStatus": {"phase": "Available Bound Failed Pending Released"},
    f"{_CORE}PodSecurityContext": {
        "fsGroupChangePolicy": "Always OnRootMismatch",
        "supplementalGroupsPolicy": "Merge Strict",
    },
    f"{_CORE}PodSpec": {
        "dnsPolicy": "ClusterFirst ClusterFirstWithHostNet Default None",
        "preemptionPolicy": _PREEMPTION,
        "restartPolicy": "Always Never OnFailure",
    },
    f"{_CORE}PodStatus": {
        "phase": "Failed Pending Running Succeeded Unknown",
        "qosClass": "BestEffort Burstable Guaranteed",
    },
    f"{_CORE}PortStatus": {"protocol": _PROTOCOL},
    f"{_CORE}ScopedResourceSelectorRequirement": {
        "operator": _OPERATOR,
        "scopeName": _SCOPES,
    },
    f"{_CORE}SeccompProfile": {"type": _PROFILE},
    f"{_CORE}SecurityContext": {"procMount": "Default Unmasked"},
    f"{_CORE}ServicePort": {"protocol": _PROTOCOL},
    f"{_CORE}ServiceSpec": {
        "externalTrafficPolicy": _POLICY,
        "internalTrafficPolicy": _POLICY,
        "ipFamilyPolicy": "PreferDualStack RequireDualStack SingleStack",
        "sessionAffinity": "ClientIP None",
        "type": "ClusterIP ExternalName LoadBalancer NodePort",
    },
    f"{_CORE}Taint": {"effect": _EFFECT},
    f"{_CORE}Toleration": {"effect": _EFFECT, "operator": "Equal Exists Gt Lt"},
    f"{_CORE}TopologySpreadConstraint": {
        "nodeAffinityPolicy": _INCLUSION,
        "nodeTaintsPolicy": _INCLUSION,
        "whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
    },
    f"{_CORE}VolumeMount": {"mountPropagation": "Bidirectional HostToContainer None"},
    f"{_APPS}DaemonSetUpdateStrategy": {"type": _ROLLING},
    f"{_APPS}DeploymentStrategy": {"type": "Recreate RollingUpdate"},
    f"{_APPS}StatefulSetPersistentVolumeClaimRetentionPolicy": {
        "whenDeleted": _RETENTION,
        "whenScaled": _RETENTION,
    },
    f"{_APPS}StatefulSetSpec": {"podManagementPolicy": "OrderedReady Parallel"},
    f"{_APPS}StatefulSetUpdateStrategy": {"type": _ROLLING},
    f"{_BATCH}CronJobSpec": {"concurrencyPolicy": "Allow Forbid Replace"},
    f"{_BATCH}JobSpec": {
        "completionMode": "Indexed NonIndexed",
        "podReplacementPolicy": "Failed TerminatingOrFailed",
    },
    f"{_BATCH}PodFailurePolicyOnExitCodesRequirement": {"operator": "In NotIn"},
    f"{_BATCH}PodFailurePolicyRule": {"action": "Count FailIndex FailJob Ignore"},
    f"{_HOOKS}MatchResources": {"matchPolicy": _MATCHING},
    f"{_HOOKS}MutatingAdmissionPolicySpec": {
        "failurePolicy": _FAILURE,
        "reinvocationPolicy": "IfNeeded Never",
    },
    f"{_HOOKS}MutatingWebhook": {
        "failurePolicy": _FAILURE,
        "matchPolicy": _MATCHING,
        "reinvocationPolicy": "IfNeeded Never",
        "sideEffects": _EFFECTS,
    },
    f"{_HOOKS}NamedRuleWithOperations": {"scope": "* Cluster Namespaced"},
    f"{_HOOKS}ParamRef": {"parameterNotFoundAction": "Allow Deny"},
    f"{_HOOKS}RuleWithOperations": {"scope": "* Cluster Namespaced"},
    f"{_HOOKS}ValidatingAdmissionPolicySpec": {"failurePolicy": _FAILURE},
    f"{_HOOKS}ValidatingWebhook": {
        "failurePolicy": _FAILURE,
        "matchPolicy": _MATCHING,
        "sideEffects": _EFFECTS,
    },
    f"{_NET}HTTPIngressPath": {"pathType": "Exact ImplementationSpecific Prefix"},
    f"{_NET}IngressPortStatus": {"protocol": _PROTOCOL},
    f"{_NET}NetworkPolicyPort": {"protocol": _PROTOCOL},
    "io.k8s.api.discovery.v1.EndpointPort": {"protocol": _PROTOCOL},
    "io.k8s.api.discovery.v1.EndpointSlice": {"addressType": "FQDN IPv4 IPv6"},
    "io.k8s.api.policy.v1.PodDisruptionBudgetSpec": {
        "unhealthyPodEvictionPolicy": "AlwaysAllow IfHealthyBudget"
    },
    f"{_DEVICES}DeviceSubRequest": {"allocationMode": _ALLOCATION},
    f"{_DEVICES}DeviceTaint": {"effect": _DEVICE_EFFECT},
    f"{_DEVICES}DeviceToleration": {"effect": _DEVICE_EFFECT},
    f"{_DEVICES}ExactDeviceRequest": {"allocationMode": _ALLOCATION},
    "io.k8s.api.scheduling.v1.PriorityClass": {"preemptionPolicy": _PREEMPTION},
    "io.k8s.api.storage.v1.StorageClass": {
        "reclaimPolicy": _RECLAIM,
        "volumeBindingMode": "Immediate WaitForFirstConsumer",
    },
}
"""By definition and property: the values, in their order."""
_ITEMS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    f"{_CORE}PersistentVolumeClaimSpec": {"accessModes": _ACCESS},
    f"{_CORE}PersistentVolumeClaimStatus": {"accessModes": _ACCESS},
    f"{_CORE}PersistentVolumeSpec": {"accessModes": _ACCESS},
    f"{_CORE}ResourceQuotaSpec": {"scopes": tuple(_SCOPES.split(" "))},
    f"{_CORE}ServiceSpec": {"ipFamilies": ("", "IPv4", "IPv6")},
    f"{_HOOKS}NamedRuleWithOperations": {"operations": _OPERATIONS},
    f"{_HOOKS}RuleWithOperations": {"operations": _OPERATIONS},
    f"{_HOOKS}ValidatingAdmissionPolicyBindingSpec": {"validationActions": ("Audit", "Deny", "Warn")},
    f"{_NET}NetworkPolicySpec": {"policyTypes": ("Egress", "Ingress")},
    "io.k8s.api.certificates.v1.CertificateSigningRequestSpec": {"usages": KEY_USAGES},
}
"""Of lists, what an item may be; their descriptions do not list it."""


def enums() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the values by definition and property."""
    return {
        name: {field: tuple(values.split(" ")) for field, values in fields.items()}
        for name, fields in _FIELDS.items()
    }


def enums_of_items() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the values of the items of lists, by definition and property."""
    return _ITEMS


def with_enums(name: str, schema: Json) -> Json:
    """Return a definition with the values of its properties; it may be the same one."""
    fields, lists = _FIELDS.get(name, {}), _ITEMS.get(name, {})
    if not fields and not lists:
        return schema
    properties = dict(schema["properties"])
    for field, values in fields.items():
        properties[field] = _listed(properties[field], values.split(" "))
    for field, items in lists.items():
        written = properties[field]
        properties[field] = {**written, "items": {**written["items"], "enum": list(items)}}
    return {**schema, "properties": properties}


def _listed(schema: Json, values: list[str]) -> Json:
    described = "\n".join(f' - `"{value}"`' for value in values)
    text = f"{schema.get('description', '')}\n\nPossible enum values:\n{described}".lstrip()
    return {**schema, "description": text, "enum": values}
