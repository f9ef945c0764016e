"""Kubernetes v1.36.0 core/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class ObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ObjectReference."""

    apiVersion: str = ""
    fieldPath: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resourceVersion: str = ""
    uid: str = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Binding."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Binding")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    target: ObjectReference


class ConfigMap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMap."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    binaryData: dict[str, str] = {}
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "ConfigMap")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()


class EndpointAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EndpointAddress."""

    hostname: str = ""
    ip: str
    nodeName: str = ""
    targetRef: ObjectReference | None = None


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EndpointPort."""

    appProtocol: str = ""
    name: str = ""
    port: int
    protocol: str = ""


class EndpointSubset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EndpointSubset."""

    addresses: list[EndpointAddress] = []
    notReadyAddresses: list[EndpointAddress] = []
    ports: list[EndpointPort] = []


class Endpoints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Endpoints."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Endpoints")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    subsets: list[EndpointSubset] = []


class EventSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EventSeries."""

    count: int | None = None
    lastObservedTime: str | None = None


class EventSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EventSource."""

    component: str = ""
    host: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Event."""

    action: str = ""
    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    count: int | None = None
    eventTime: str | None = None
    firstTimestamp: str | None = None
    involvedObject: ObjectReference
    kind: str = msgspec.field(default_factory=lambda: "Event")
    lastTimestamp: str | None = None
    message: str = ""
    metadata: meta_v1.ObjectMeta
    reason: str = ""
    related: ObjectReference | None = None
    reportingComponent: str = ""
    reportingInstance: str = ""
    series: EventSeries | None = None
    source: EventSource | None = None
    type: str = ""


class NamespaceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NamespaceSpec."""

    finalizers: list[str] = []


class NamespaceCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NamespaceCondition."""

    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class NamespaceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NamespaceStatus."""

    conditions: list[NamespaceCondition] = []
    phase: str = ""


class Namespace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Namespace."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Namespace")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class ConfigMapNodeConfigSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMapNodeConfigSource."""

    kubeletConfigKey: str
    name: str
    namespace: str
    resourceVersion: str = ""
    uid: str = ""


class NodeConfigSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeConfigSource."""

    configMap: ConfigMapNodeConfigSource | None = None


class Taint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Taint."""

    effect: str
    key: str
    timeAdded: str | None = None
    value: str = ""


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSpec."""

    configSource: NodeConfigSource | None = None
    externalID: str = ""
    podCIDR: str = ""
    podCIDRs: list[str] = []
    providerID: str = ""
    taints: list[Taint] = []
    unschedulable: bool | None = None


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeAddress."""

    address: str
    type: str


class NodeCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeCondition."""

    lastHeartbeatTime: str | None = None
    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class NodeConfigStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeConfigStatus."""

    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    lastKnownGood: NodeConfigSource | None = None


class DaemonEndpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.DaemonEndpoint."""

    Port: int


class NodeDaemonEndpoints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeDaemonEndpoints."""

    kubeletEndpoint: DaemonEndpoint | None = None


class NodeFeatures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeFeatures."""

    supplementalGroupsPolicy: bool | None = None


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerImage."""

    names: list[str] = []
    sizeBytes: int | None = None


class NodeSwapStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSwapStatus."""

    capacity: int | None = None


class NodeSystemInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSystemInfo."""

    architecture: str
    bootID: str
    containerRuntimeVersion: str
    kernelVersion: str
    kubeProxyVersion: str
    kubeletVersion: str
    machineID: str
    operatingSystem: str
    osImage: str
    swap: NodeSwapStatus | None = None
    systemUUID: str


class NodeRuntimeHandlerFeatures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeRuntimeHandlerFeatures."""

    recursiveReadOnlyMounts: bool | None = None
    userNamespaces: bool | None = None


class NodeRuntimeHandler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeRuntimeHandler."""

    features: NodeRuntimeHandlerFeatures | None = None
    name: str = ""


class AttachedVolume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.AttachedVolume."""

    devicePath: str
    name: str


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeStatus."""

    addresses: list[NodeAddress] = []
    allocatable: dict[str, str] = {}
    capacity: dict[str, str] = {}
    conditions: list[NodeCondition] = []
    config: NodeConfigStatus | None = None
    daemonEndpoints: NodeDaemonEndpoints | None = None
    declaredFeatures: list[str] = []
    features: NodeFeatures | None = None
    images: list[ContainerImage] = []
    nodeInfo: NodeSystemInfo | None = None
    phase: str = ""
    runtimeHandlers: list[NodeRuntimeHandler] = []
    volumesAttached: list[AttachedVolume] = []
    volumesInUse: list[str] = []


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Node."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Node")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class SecretReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecretReference."""

    name: str = ""
    namespace: str = ""


class CSIPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.CSIPersistentVolumeSource."""

    controllerExpandSecretRef: SecretReference | None = None
    controllerPublishSecretRef: SecretReference | None = None
    driver: str
    fsType: str = ""
    nodeExpandSecretRef: SecretReference | None = None
    nodePublishSecretRef: SecretReference | None = None
    nodeStageSecretRef: SecretReference | None = None
    readOnly: bool | None = None
    volumeAttributes: dict[str, str] = {}
    volumeHandle: str


class HostPathVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.HostPathVolumeSource."""

    path: str
    type: str = ""


class LocalVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LocalVolumeSource."""

    fsType: str = ""
    path: str


class NFSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NFSVolumeSource."""

    path: str
    readOnly: bool | None = None
    server: str


class NodeSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSelectorRequirement."""

    key: str
    operator: str
    values: list[str] = []


class NodeSelectorTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSelectorTerm."""

    matchExpressions: list[NodeSelectorRequirement] = []
    matchFields: list[NodeSelectorRequirement] = []


class NodeSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeSelector."""

    nodeSelectorTerms: list[NodeSelectorTerm]


class VolumeNodeAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeNodeAffinity."""

    required: NodeSelector | None = None


class PersistentVolumeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeSpec."""

    accessModes: list[str] = []
    capacity: dict[str, str] = {}
    claimRef: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    hostPath: HostPathVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mountOptions: list[str] = []
    nfs: NFSVolumeSource | None = None
    nodeAffinity: VolumeNodeAffinity | None = None
    persistentVolumeReclaimPolicy: str = ""
    storageClassName: str = ""
    volumeAttributesClassName: str = ""
    volumeMode: str = ""


class PersistentVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeStatus."""

    lastPhaseTransitionTime: str | None = None
    message: str = ""
    phase: str = ""
    reason: str = ""


class PersistentVolume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolume."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PersistentVolume")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PersistentVolumeSpec = PersistentVolumeSpec()
    status: PersistentVolumeStatus = PersistentVolumeStatus()


class TypedLocalObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TypedLocalObjectReference."""

    apiGroup: str = ""
    kind: str
    name: str


class TypedObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TypedObjectReference."""

    apiGroup: str = ""
    kind: str
    name: str
    namespace: str = ""


class VolumeResourceRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeResourceRequirements."""

    limits: dict[str, str] = {}
    requests: dict[str, str] = {}


class PersistentVolumeClaimSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaimSpec."""

    accessModes: list[str] = []
    dataSource: TypedLocalObjectReference | None = None
    dataSourceRef: TypedObjectReference | None = None
    resources: VolumeResourceRequirements | None = None
    selector: meta_v1.LabelSelector | None = None
    storageClassName: str | None = None
    volumeAttributesClassName: str = ""
    volumeMode: str = ""
    volumeName: str = ""


class PersistentVolumeClaimCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaimCondition."""

    lastProbeTime: str | None = None
    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class ModifyVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ModifyVolumeStatus."""

    status: str
    targetVolumeAttributesClassName: str = ""


class PersistentVolumeClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaimStatus."""

    accessModes: list[str] = []
    allocatedResourceStatuses: dict[str, str] = {}
    allocatedResources: dict[str, str] = {}
    capacity: dict[str, str] = {}
    conditions: list[PersistentVolumeClaimCondition] = []
    currentVolumeAttributesClassName: str = ""
    modifyVolumeStatus: ModifyVolumeStatus | None = None
    phase: str = ""


class PersistentVolumeClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaim."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PersistentVolumeClaim")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus()


class PreferredSchedulingTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PreferredSchedulingTerm."""

    preference: NodeSelectorTerm
    weight: int


class NodeAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeAffinity."""

    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredSchedulingTerm] = []
    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = None


class PodAffinityTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodAffinityTerm."""

    labelSelector: meta_v1.LabelSelector | None = None
    matchLabelKeys: list[str] = []
    mismatchLabelKeys: list[str] = []
    namespaceSelector: meta_v1.LabelSelector | None = None
    namespaces: list[str] = []
    topologyKey: str


class WeightedPodAffinityTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.WeightedPodAffinityTerm."""

    podAffinityTerm: PodAffinityTerm
    weight: int


class PodAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodAffinity."""

    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = []
    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = []


class PodAntiAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodAntiAffinity."""

    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = []
    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = []


class Affinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Affinity."""

    nodeAffinity: NodeAffinity | None = None
    podAffinity: PodAffinity | None = None
    podAntiAffinity: PodAntiAffinity | None = None


class ConfigMapKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMapKeySelector."""

    key: str
    name: str = ""
    optional: bool | None = None


class ObjectFieldSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ObjectFieldSelector."""

    apiVersion: str = ""
    fieldPath: str


class FileKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.FileKeySelector."""

    key: str
    optional: bool | None = None
    path: str
    volumeName: str


class ResourceFieldSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ResourceFieldSelector."""

    containerName: str = ""
    divisor: str = ""
    resource: str


class SecretKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecretKeySelector."""

    key: str
    name: str = ""
    optional: bool | None = None


class EnvVarSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EnvVarSource."""

    configMapKeyRef: ConfigMapKeySelector | None = None
    fieldRef: ObjectFieldSelector | None = None
    fileKeyRef: FileKeySelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    secretKeyRef: SecretKeySelector | None = None


class EnvVar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EnvVar."""

    name: str
    value: str = ""
    valueFrom: EnvVarSource | None = None


class ConfigMapEnvSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMapEnvSource."""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecretEnvSource."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EnvFromSource."""

    configMapRef: ConfigMapEnvSource | None = None
    prefix: str = ""
    secretRef: SecretEnvSource | None = None


class ExecAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ExecAction."""

    command: list[str] = []


class HTTPHeader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.HTTPHeader."""

    name: str
    value: str


class HTTPGetAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.HTTPGetAction."""

    host: str = ""
    httpHeaders: list[HTTPHeader] = []
    path: str = ""
    port: int | str
    scheme: str = ""


class SleepAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SleepAction."""

    seconds: int


class TCPSocketAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TCPSocketAction."""

    host: str = ""
    port: int | str


class LifecycleHandler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LifecycleHandler."""

    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcpSocket: TCPSocketAction | None = None


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Lifecycle."""

    postStart: LifecycleHandler | None = None
    preStop: LifecycleHandler | None = None
    stopSignal: str = ""


class GRPCAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.GRPCAction."""

    port: int
    service: str = ""


class Probe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Probe."""

    exec: ExecAction | None = None
    failureThreshold: int | None = None
    grpc: GRPCAction | None = None
    httpGet: HTTPGetAction | None = None
    initialDelaySeconds: int | None = None
    periodSeconds: int | None = None
    successThreshold: int | None = None
    tcpSocket: TCPSocketAction | None = None
    terminationGracePeriodSeconds: int | None = None
    timeoutSeconds: int | None = None


class ContainerPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerPort."""

    containerPort: int
    hostIP: str = ""
    hostPort: int | None = None
    name: str = ""
    protocol: str = ""


class ContainerResizePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerResizePolicy."""

    resourceName: str
    restartPolicy: str


class ResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ResourceClaim."""

    name: str
    request: str = ""


class ResourceRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ResourceRequirements."""

    claims: list[ResourceClaim] = []
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}


class ContainerRestartRuleOnExitCodes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerRestartRuleOnExitCodes."""

    operator: str
    values: list[int] = []


class ContainerRestartRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerRestartRule."""

    action: str
    exitCodes: ContainerRestartRuleOnExitCodes | None = None


class AppArmorProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.AppArmorProfile."""

    localhostProfile: str = ""
    type: str


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Capabilities."""

    add: list[str] = []
    drop: list[str] = []


class SELinuxOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SELinuxOptions."""

    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SeccompProfile."""

    localhostProfile: str = ""
    type: str


class WindowsSecurityContextOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.WindowsSecurityContextOptions."""

    gmsaCredentialSpec: str = ""
    gmsaCredentialSpecName: str = ""
    hostProcess: bool | None = None
    runAsUserName: str = ""


class SecurityContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecurityContext."""

    allowPrivilegeEscalation: bool | None = None
    appArmorProfile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    procMount: str = ""
    readOnlyRootFilesystem: bool | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxOptions: SELinuxOptions | None = None
    seccompProfile: SeccompProfile | None = None
    windowsOptions: WindowsSecurityContextOptions | None = None


class VolumeDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeDevice."""

    devicePath: str
    name: str


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeMount."""

    mountPath: str
    mountPropagation: str = ""
    name: str
    readOnly: bool | None = None
    recursiveReadOnly: str = ""
    subPath: str = ""
    subPathExpr: str = ""


class Container(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Container."""

    args: list[str] = []
    command: list[str] = []
    env: list[EnvVar] = []
    envFrom: list[EnvFromSource] = []
    image: str = ""
    imagePullPolicy: str = ""
    lifecycle: Lifecycle | None = None
    livenessProbe: Probe | None = None
    name: str
    ports: list[ContainerPort] = []
    readinessProbe: Probe | None = None
    resizePolicy: list[ContainerResizePolicy] = []
    resources: ResourceRequirements | None = None
    restartPolicy: str = ""
    restartPolicyRules: list[ContainerRestartRule] = []
    securityContext: SecurityContext | None = None
    startupProbe: Probe | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    terminationMessagePath: str = ""
    terminationMessagePolicy: str = ""
    tty: bool | None = None
    volumeDevices: list[VolumeDevice] = []
    volumeMounts: list[VolumeMount] = []
    workingDir: str = ""


class PodDNSConfigOption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodDNSConfigOption."""

    name: str = ""
    value: str = ""


class PodDNSConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodDNSConfig."""

    nameservers: list[str] = []
    options: list[PodDNSConfigOption] = []
    searches: list[str] = []


class EphemeralContainer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EphemeralContainer."""

    args: list[str] = []
    command: list[str] = []
    env: list[EnvVar] = []
    envFrom: list[EnvFromSource] = []
    image: str = ""
    imagePullPolicy: str = ""
    lifecycle: Lifecycle | None = None
    livenessProbe: Probe | None = None
    name: str
    ports: list[ContainerPort] = []
    readinessProbe: Probe | None = None
    resizePolicy: list[ContainerResizePolicy] = []
    resources: ResourceRequirements | None = None
    restartPolicy: str = ""
    restartPolicyRules: list[ContainerRestartRule] = []
    securityContext: SecurityContext | None = None
    startupProbe: Probe | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    targetContainerName: str = ""
    terminationMessagePath: str = ""
    terminationMessagePolicy: str = ""
    tty: bool | None = None
    volumeDevices: list[VolumeDevice] = []
    volumeMounts: list[VolumeMount] = []
    workingDir: str = ""


class HostAlias(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.HostAlias."""

    hostnames: list[str] = []
    ip: str


class LocalObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LocalObjectReference."""

    name: str = ""


class PodOS(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodOS."""

    name: str


class PodReadinessGate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodReadinessGate."""

    conditionType: str


class PodResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodResourceClaim."""

    name: str
    resourceClaimName: str = ""
    resourceClaimTemplateName: str = ""


class PodSchedulingGate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodSchedulingGate."""

    name: str


class PodSchedulingGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodSchedulingGroup."""

    podGroupName: str = ""


class Sysctl(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Sysctl."""

    name: str
    value: str


class PodSecurityContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodSecurityContext."""

    appArmorProfile: AppArmorProfile | None = None
    fsGroup: int | None = None
    fsGroupChangePolicy: str = ""
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxChangePolicy: str = ""
    seLinuxOptions: SELinuxOptions | None = None
    seccompProfile: SeccompProfile | None = None
    supplementalGroups: list[int] = []
    supplementalGroupsPolicy: str = ""
    sysctls: list[Sysctl] = []
    windowsOptions: WindowsSecurityContextOptions | None = None


class Toleration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Toleration."""

    effect: str = ""
    key: str = ""
    operator: str = ""
    tolerationSeconds: int | None = None
    value: str = ""


class TopologySpreadConstraint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TopologySpreadConstraint."""

    labelSelector: meta_v1.LabelSelector | None = None
    matchLabelKeys: list[str] = []
    maxSkew: int
    minDomains: int | None = None
    nodeAffinityPolicy: str = ""
    nodeTaintsPolicy: str = ""
    topologyKey: str
    whenUnsatisfiable: str


class AWSElasticBlockStoreVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.AWSElasticBlockStoreVolumeSource."""

    fsType: str = ""
    partition: int | None = None
    readOnly: bool | None = None
    volumeID: str


class AzureDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.AzureDiskVolumeSource."""

    cachingMode: str = ""
    diskName: str
    diskURI: str
    fsType: str = ""
    kind: str = ""
    readOnly: bool | None = None


class AzureFileVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.AzureFileVolumeSource."""

    readOnly: bool | None = None
    secretName: str
    shareName: str


class CephFSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.CephFSVolumeSource."""

    monitors: list[str]
    path: str = ""
    readOnly: bool | None = None
    secretFile: str = ""
    secretRef: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.CinderVolumeSource."""

    fsType: str = ""
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    volumeID: str


class KeyToPath(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.KeyToPath."""

    key: str
    mode: int | None = None
    path: str


class ConfigMapVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMapVolumeSource."""

    defaultMode: int | None = None
    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class CSIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.CSIVolumeSource."""

    driver: str
    fsType: str = ""
    nodePublishSecretRef: LocalObjectReference | None = None
    readOnly: bool | None = None
    volumeAttributes: dict[str, str] = {}


class DownwardAPIVolumeFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.DownwardAPIVolumeFile."""

    fieldRef: ObjectFieldSelector | None = None
    mode: int | None = None
    path: str
    resourceFieldRef: ResourceFieldSelector | None = None


class DownwardAPIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.DownwardAPIVolumeSource."""

    defaultMode: int | None = None
    items: list[DownwardAPIVolumeFile] = []


class EmptyDirVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EmptyDirVolumeSource."""

    medium: str = ""
    sizeLimit: str = ""


class PersistentVolumeClaimTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaimTemplate."""

    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PersistentVolumeClaimSpec


class EphemeralVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.EphemeralVolumeSource."""

    volumeClaimTemplate: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.FCVolumeSource."""

    fsType: str = ""
    lun: int | None = None
    readOnly: bool | None = None
    targetWWNs: list[str] = []
    wwids: list[str] = []


class FlexVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.FlexVolumeSource."""

    driver: str
    fsType: str = ""
    options: dict[str, str] = {}
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None


class FlockerVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.FlockerVolumeSource."""

    datasetName: str = ""
    datasetUUID: str = ""


class GCEPersistentDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.GCEPersistentDiskVolumeSource."""

    fsType: str = ""
    partition: int | None = None
    pdName: str
    readOnly: bool | None = None


class GitRepoVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.GitRepoVolumeSource."""

    directory: str = ""
    repository: str
    revision: str = ""


class GlusterfsVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.GlusterfsVolumeSource."""

    endpoints: str
    path: str
    readOnly: bool | None = None


class ImageVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ImageVolumeSource."""

    pullPolicy: str = ""
    reference: str = ""


class ISCSIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ISCSIVolumeSource."""

    chapAuthDiscovery: bool | None = None
    chapAuthSession: bool | None = None
    fsType: str = ""
    initiatorName: str = ""
    iqn: str
    iscsiInterface: str = ""
    lun: int
    portals: list[str] = []
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    targetPortal: str


class PersistentVolumeClaimVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PersistentVolumeClaimVolumeSource."""

    claimName: str
    readOnly: bool | None = None


class PhotonPersistentDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PhotonPersistentDiskVolumeSource."""

    fsType: str = ""
    pdID: str


class PortworxVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PortworxVolumeSource."""

    fsType: str = ""
    readOnly: bool | None = None
    volumeID: str


class ClusterTrustBundleProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ClusterTrustBundleProjection."""

    labelSelector: meta_v1.LabelSelector | None = None
    name: str = ""
    optional: bool | None = None
    path: str
    signerName: str = ""


class ConfigMapProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ConfigMapProjection."""

    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class DownwardAPIProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.DownwardAPIProjection."""

    items: list[DownwardAPIVolumeFile] = []


class PodCertificateProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodCertificateProjection."""

    certificateChainPath: str = ""
    credentialBundlePath: str = ""
    keyPath: str = ""
    keyType: str
    maxExpirationSeconds: int | None = None
    signerName: str
    userAnnotations: dict[str, str] = {}


class SecretProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecretProjection."""

    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class ServiceAccountTokenProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ServiceAccountTokenProjection."""

    audience: str = ""
    expirationSeconds: int | None = None
    path: str


class VolumeProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeProjection."""

    clusterTrustBundle: ClusterTrustBundleProjection | None = None
    configMap: ConfigMapProjection | None = None
    downwardAPI: DownwardAPIProjection | None = None
    podCertificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    serviceAccountToken: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ProjectedVolumeSource."""

    defaultMode: int | None = None
    sources: list[VolumeProjection] = []


class QuobyteVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.QuobyteVolumeSource."""

    group: str = ""
    readOnly: bool | None = None
    registry: str
    tenant: str = ""
    user: str = ""
    volume: str


class RBDVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.RBDVolumeSource."""

    fsType: str = ""
    image: str
    keyring: str = ""
    monitors: list[str]
    pool: str = ""
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ScaleIOVolumeSource."""

    fsType: str = ""
    gateway: str
    protectionDomain: str = ""
    readOnly: bool | None = None
    secretRef: LocalObjectReference
    sslEnabled: bool | None = None
    storageMode: str = ""
    storagePool: str = ""
    system: str
    volumeName: str = ""


class SecretVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SecretVolumeSource."""

    defaultMode: int | None = None
    items: list[KeyToPath] = []
    optional: bool | None = None
    secretName: str = ""


class StorageOSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.StorageOSVolumeSource."""

    fsType: str = ""
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    volumeName: str = ""
    volumeNamespace: str = ""


class VsphereVirtualDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VsphereVirtualDiskVolumeSource."""

    fsType: str = ""
    storagePolicyID: str = ""
    storagePolicyName: str = ""
    volumePath: str


class Volume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Volume."""

    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = None
    azureDisk: AzureDiskVolumeSource | None = None
    azureFile: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    configMap: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downwardAPI: DownwardAPIVolumeSource | None = None
    emptyDir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flexVolume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = None
    gitRepo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    hostPath: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    name: str
    nfs: NFSVolumeSource | None = None
    persistentVolumeClaim: PersistentVolumeClaimVolumeSource | None = None
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = None
    portworxVolume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scaleIO: ScaleIOVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = None


class PodSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodSpec."""

    activeDeadlineSeconds: int | None = None
    affinity: Affinity | None = None
    automountServiceAccountToken: bool | None = None
    containers: list[Container]
    dnsConfig: PodDNSConfig | None = None
    dnsPolicy: str = ""
    enableServiceLinks: bool | None = None
    ephemeralContainers: list[EphemeralContainer] = []
    hostAliases: list[HostAlias] = []
    hostIPC: bool | None = None
    hostNetwork: bool | None = None
    hostPID: bool | None = None
    hostUsers: bool | None = None
    hostname: str = ""
    hostnameOverride: str = ""
    imagePullSecrets: list[LocalObjectReference] = []
    initContainers: list[Container] = []
    nodeName: str = ""
    nodeSelector: dict[str, str] = {}
    os: PodOS | None = None
    overhead: dict[str, str] = {}
    preemptionPolicy: str = ""
    priority: int | None = None
    priorityClassName: str = ""
    readinessGates: list[PodReadinessGate] = []
    resourceClaims: list[PodResourceClaim] = []
    resources: ResourceRequirements | None = None
    restartPolicy: str = ""
    runtimeClassName: str = ""
    schedulerName: str = ""
    schedulingGates: list[PodSchedulingGate] = []
    schedulingGroup: PodSchedulingGroup | None = None
    securityContext: PodSecurityContext | None = None
    serviceAccount: str = ""
    serviceAccountName: str = ""
    setHostnameAsFQDN: bool | None = None
    shareProcessNamespace: bool | None = None
    subdomain: str = ""
    terminationGracePeriodSeconds: int | None = None
    tolerations: list[Toleration] = []
    topologySpreadConstraints: list[TopologySpreadConstraint] = []
    volumes: list[Volume] = []


class PodCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodCondition."""

    lastProbeTime: str | None = None
    lastTransitionTime: str | None = None
    message: str = ""
    observedGeneration: int | None = None
    reason: str = ""
    status: str
    type: str


class ResourceHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ResourceHealth."""

    health: str = ""
    message: str = ""
    resourceID: str


class ResourceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ResourceStatus."""

    name: str
    resources: list[ResourceHealth] = []


class ContainerStateRunning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerStateRunning."""

    startedAt: str | None = None


class ContainerStateTerminated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerStateTerminated."""

    containerID: str = ""
    exitCode: int
    finishedAt: str | None = None
    message: str = ""
    reason: str = ""
    signal: int | None = None
    startedAt: str | None = None


class ContainerStateWaiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerStateWaiting."""

    message: str = ""
    reason: str = ""


class ContainerState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerState."""

    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class LinuxContainerUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LinuxContainerUser."""

    gid: int
    supplementalGroups: list[int] = []
    uid: int


class ContainerUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerUser."""

    linux: LinuxContainerUser | None = None


class ImageVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ImageVolumeStatus."""

    imageRef: str


class VolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeStatus."""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.VolumeMountStatus."""

    mountPath: str
    name: str
    readOnly: bool | None = None
    recursiveReadOnly: str = ""
    volumeStatus: VolumeStatus | None = None


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerStatus."""

    allocatedResources: dict[str, str] = {}
    allocatedResourcesStatus: list[ResourceStatus] = []
    containerID: str = ""
    image: str
    imageID: str
    lastState: ContainerState | None = None
    name: str
    ready: bool
    resources: ResourceRequirements | None = None
    restartCount: int
    started: bool | None = None
    state: ContainerState | None = None
    stopSignal: str = ""
    user: ContainerUser | None = None
    volumeMounts: list[VolumeMountStatus] = []


class ContainerExtendedResourceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ContainerExtendedResourceRequest."""

    containerName: str
    requestName: str
    resourceName: str


class PodExtendedResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodExtendedResourceClaimStatus."""

    requestMappings: list[ContainerExtendedResourceRequest]
    resourceClaimName: str


class HostIP(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.HostIP."""

    ip: str


class NodeAllocatableResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.NodeAllocatableResourceClaimStatus."""

    containers: list[str] = []
    resourceClaimName: str
    resources: dict[str, str]


class PodIP(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodIP."""

    ip: str


class PodResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodResourceClaimStatus."""

    name: str
    resourceClaimName: str = ""


class PodStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodStatus."""

    allocatedResources: dict[str, str] = {}
    conditions: list[PodCondition] = []
    containerStatuses: list[ContainerStatus] = []
    ephemeralContainerStatuses: list[ContainerStatus] = []
    extendedResourceClaimStatus: PodExtendedResourceClaimStatus | None = None
    hostIP: str = ""
    hostIPs: list[HostIP] = []
    initContainerStatuses: list[ContainerStatus] = []
    message: str = ""
    nodeAllocatableResourceClaimStatuses: list[NodeAllocatableResourceClaimStatus] = []
    nominatedNodeName: str = ""
    observedGeneration: int | None = None
    phase: str = ""
    podIP: str = ""
    podIPs: list[PodIP] = []
    qosClass: str = ""
    reason: str = ""
    resize: str = ""
    resourceClaimStatuses: list[PodResourceClaimStatus] = []
    resources: ResourceRequirements | None = None
    startTime: str | None = None


class Pod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Pod."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Pod")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PodSpec
    status: PodStatus = PodStatus()


class Secret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Secret."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "Secret")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    stringData: dict[str, str] = {}
    type: str = ""


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ServicePort."""

    appProtocol: str = ""
    name: str = ""
    nodePort: int | None = None
    port: int
    protocol: str = ""
    targetPort: int | str | None = None


class ClientIPConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ClientIPConfig."""

    timeoutSeconds: int | None = None


class SessionAffinityConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.SessionAffinityConfig."""

    clientIP: ClientIPConfig | None = None


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ServiceSpec."""

    allocateLoadBalancerNodePorts: bool | None = None
    clusterIP: str = ""
    clusterIPs: list[str] = []
    externalIPs: list[str] = []
    externalName: str = ""
    externalTrafficPolicy: str = ""
    healthCheckNodePort: int | None = None
    internalTrafficPolicy: str = ""
    ipFamilies: list[str] = []
    ipFamilyPolicy: str = ""
    loadBalancerClass: str = ""
    loadBalancerIP: str = ""
    loadBalancerSourceRanges: list[str] = []
    ports: list[ServicePort] = []
    publishNotReadyAddresses: bool | None = None
    selector: dict[str, str] = {}
    sessionAffinity: str = ""
    sessionAffinityConfig: SessionAffinityConfig | None = None
    trafficDistribution: str = ""
    type: str = ""


class PortStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PortStatus."""

    error: str = ""
    port: int
    protocol: str


class LoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LoadBalancerIngress."""

    hostname: str = ""
    ip: str = ""
    ipMode: str = ""
    ports: list[PortStatus] = []


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.LoadBalancerStatus."""

    ingress: list[LoadBalancerIngress] = []


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ServiceStatus."""

    conditions: list[meta_v1.Condition] = []
    loadBalancer: LoadBalancerStatus | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.Service."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Service")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.ServiceAccount."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    automountServiceAccountToken: bool | None = None
    imagePullSecrets: list[LocalObjectReference] = []
    kind: str = msgspec.field(default_factory=lambda: "ServiceAccount")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    secrets: list[ObjectReference] = []


class PodTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.PodTemplateSpec."""

    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: PodSpec | None = None


class TopologySelectorLabelRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TopologySelectorLabelRequirement."""

    key: str
    values: list[str]


class TopologySelectorTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.core.v1.TopologySelectorTerm."""

    matchLabelExpressions: list[TopologySelectorLabelRequirement] = []
