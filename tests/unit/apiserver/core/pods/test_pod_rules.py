"""What a Pod's spec has to look like, in the words that users of kubectl know."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.pod_specs import complaints, created, pod

_DNS_LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"


def _starts(found: list[str], *expected: str) -> bool:
    return len(found) == len(expected) and all(
        text.startswith(start) for text, start in zip(found, expected, strict=True)
    )


def test_a_plain_pod_is_fine() -> None:
    """A pod with one container is stored."""
    assert complaints(pod()) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        ({"restartPolicy": "Sometimes"}, 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'),
        ({"dnsPolicy": "None"}, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        ({"dnsConfig": {"nameservers": ["x"]}}, 'spec.dnsConfig.nameservers[0]: Invalid value: "x": must be a valid IP address'),
        ({"hostname": "Web"}, f'spec.hostname: Invalid value: "Web": {_DNS_LABEL}'),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"),
        ({"nodeSelector": {"-": "x"}}, 'spec.nodeSelector: Invalid value: "-": name part must consist of'),
        ({"readinessGates": [{"conditionType": "a b"}]}, 'spec.readinessGates[0].conditionType: Invalid value: "a b"'),
        ({"schedulingGates": [{"name": "a"}, {"name": "a"}]}, 'spec.schedulingGates[1]: Duplicate value: "a"'),
        ({"tolerations": [{"operator": "Equal"}]}, 'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty'),
        ({"tolerations": [{"key": "a", "operator": "Lt"}]}, 'spec.tolerations[0].operator: Unsupported value: "Lt": supported values: "Equal", "Exists"'),
        ({"tolerations": [{"key": "a", "tolerationSeconds": 3}]}, 'spec.tolerations[0].effect: Invalid value: "": effect must be \'NoExecute\' when'),
        ({"hostAliases": [{"ip": "1.2.3"}]}, 'spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address'),
        ({"securityContext": {"runAsUser": -1}}, "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        ({"securityContext": {"seccompProfile": {"type": "Localhost"}}}, "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"),
        ({"os": {"name": "plan9"}}, 'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'),
        ({"nodeName": "n", "schedulingGates": [{"name": "a"}]}, "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"),
        ({"ephemeralContainers": [{"name": "debug", "image": "x"}]}, "spec.ephemeralContainers: Forbidden: cannot be set on create"),
    ],
)  # fmt: skip
def test_fields_of_the_spec(spec: Json, expected: str) -> None:
    """A faulty field of the spec is named with its path."""
    found = complaints(pod(**spec))
    assert any(text.startswith(expected) for text in found), found


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"name": ""}, "name: Required value"),
        ({"name": "My_App"}, f'name: Invalid value: "My_App": {_DNS_LABEL}'),
        ({"image": ""}, "image: Required value"),
        ({"image": " app"}, 'image: Invalid value: " app": must not have leading or trailing whitespace'),
        ({"imagePullPolicy": "Often"}, 'imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"'),
        ({"ports": [{"containerPort": 0}]}, "ports[0].containerPort: Required value"),
        ({"ports": [{"containerPort": 70000}]}, "ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        ({"ports": [{"containerPort": 80, "protocol": "HTTP"}]}, 'ports[0].protocol: Unsupported value: "HTTP"'),
        ({"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]}, 'ports[1].name: Duplicate value: "a"'),
        ({"ports": [{"containerPort": 80, "hostPort": 8}, {"containerPort": 81, "hostPort": 8}]}, 'ports[1].hostPort: Duplicate value: "TCP//8"'),
        ({"env": [{"name": "a=b"}]}, 'env[0].name: Invalid value: "a=b": a valid environment variable name'),
        ({"env": [{"name": "A", "valueFrom": {}}]}, 'env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`'),
        ({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}, 'env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.hostname"}}}]}, 'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.hostname": error converting fieldPath: field label not supported: spec.hostname'),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}, 'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels"'),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "cpu"}}}]}, 'env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "cpu"'),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}]}, 'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1'),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}]}, "env[0].valueFrom.secretKeyRef.key: Required value"),
        ({"envFrom": [{}]}, 'envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'),
        ({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}, 'volumeMounts[0].name: Not found: "data"'),
        ({"volumeMounts": [{"name": "v", "mountPath": "/data", "subPath": "../x"}]}, 'volumeMounts[0].subPath: Invalid value: "../x": must not contain \'..\''),
        ({"volumeMounts": [{"name": "v", "mountPath": "/data", "mountPropagation": "Bidirectional"}]}, "volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers"),
        ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, 'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
        ({"resources": {"requests": {"memory": "-1"}}}, 'resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0'),
        ({"resources": {"requests": {"gpus": "1"}}}, 'resources.requests[gpus]: Invalid value: "gpus": must be a standard resource for containers'),
        ({"resources": {"requests": {"example.com/gpu": "1"}}}, "resources.limits: Required value: Limit must be set for non overcommitable resources"),
        ({"livenessProbe": {}}, "livenessProbe: Required value: must specify a handler type"),
        ({"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}}, "livenessProbe.successThreshold: Invalid value: 2: must be 1"),
        ({"livenessProbe": {"exec": {"command": ["a"]}, "httpGet": {"port": 80}}}, "livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type"),
        ({"readinessProbe": {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 3}}, "readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: must not be set for readinessProbes"),
        ({"startupProbe": {"httpGet": {"port": "a_b"}}}, 'startupProbe.httpGet.port: Invalid value: "a_b": must contain only'),
        ({"livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": -1}}, "livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"),
        ({"restartPolicy": "Always"}, "restartPolicy: Forbidden: may not be set for non-init containers"),
        ({"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}}, 'securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set'),
    ],
)  # fmt: skip
def test_fields_of_a_container(container: Json, expected: str) -> None:
    """A faulty field of a container is named with its path, and nothing else is complained about."""
    found = complaints(pod(container=container, volumes=[{"name": "v"}]))
    assert _starts(found, f"spec.containers[0].{expected}"), found


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": ""}, "name: Required value"),
        ({"name": "A"}, f'name: Invalid value: "A": {_DNS_LABEL}'),
        ({"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}, "hostPath: Forbidden: may not specify more than 1 volume type"),
        ({"name": "a", "hostPath": {"path": "/x/../y"}}, 'hostPath.path: Invalid value: "/x/../y": must not contain \'..\''),
        ({"name": "a", "hostPath": {"path": "/x", "type": "Pipe"}}, 'hostPath.type: Unsupported value: "Pipe"'),
        ({"name": "a", "secret": {}}, "secret.secretName: Required value"),
        ({"name": "a", "configMap": {"name": "c", "defaultMode": 512}}, "configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"),
        ({"name": "a", "configMap": {"name": "c", "items": [{"key": "k", "path": "/k"}]}}, 'configMap.items[0].path: Invalid value: "/k": must be a relative path'),
        ({"name": "a", "configMap": {"name": "c", "items": [{"key": "k", "path": "..k"}]}}, 'configMap.items[0].path: Invalid value: "..k": must not start with \'..\''),
        ({"name": "a", "downwardAPI": {"items": [{"path": "p"}]}}, "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"),
        ({"name": "a", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "status.podIP"}}]}}, 'downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP"'),
        ({"name": "a", "projected": {"sources": [{"configMap": {"name": "c", "items": [{"key": "k", "path": "f"}]}}, {"secret": {"name": "s", "items": [{"key": "k", "path": "f"}]}}]}}, 'projected.sources[1].secret: Invalid value: "s": conflicting duplicate paths: f'),
    ],
)  # fmt: skip
def test_volumes(volume: Json, expected: str) -> None:
    """A faulty volume is named with its path."""
    found = complaints(pod(volumes=[volume]))
    assert _starts(found, f"spec.volumes[0].{expected}"), found


def test_an_extended_resource_is_whole() -> None:
    """There is no half of a device; what is limited only is requested, too, so both are named."""
    found = complaints(pod(container={"resources": {"limits": {"example.com/gpu": "500m"}}}))
    path = "spec.containers[0].resources"
    assert found == [
        f'{path}.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
        f'{path}.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
    ]


def test_amounts_are_rounded_up_to_thousandths() -> None:
    """Who asks for less than a thousandth gets one."""
    container = created(pod(container={"resources": {"requests": {"cpu": "1.5m"}}}))["spec"]["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "2m"}}


def test_a_token_needs_ten_minutes_and_a_service_account() -> None:
    """A projected token is long-lived enough, and of a named account."""
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 10}}
    found = complaints(pod(volumes=[{"name": "t", "projected": {"sources": [token]}}]))
    path = "spec.volumes[0].projected.sources[0].serviceAccountToken"
    assert found == [
        f"{path}.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes",
        f"{path}: Forbidden: must not be specified when serviceAccountName is not set",
    ]


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ({"name": "main"}, 'spec.initContainers[0].name: Duplicate value: "main"'),
        ({"livenessProbe": {"tcpSocket": {"port": 1}}}, "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"),
        ({"restartPolicy": "Sometimes"}, 'spec.initContainers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always"'),
    ],
)  # fmt: skip
def test_init_containers(init: Json, expected: str) -> None:
    """An init container has a name of its own, and probes only where it is a sidecar."""
    assert complaints(pod(initContainers=[{"name": "first", "image": "x", **init}])) == [expected]


def test_a_sidecar_may_have_probes() -> None:
    """An init container that is restarted always is probed like any other."""
    sidecar = {
        "name": "s",
        "image": "x",
        "restartPolicy": "Always",
        "readinessProbe": {"tcpSocket": {"port": 1}},
    }
    assert complaints(pod(initContainers=[sidecar])) == []


def test_every_fault_is_named_at_once() -> None:
    """One answer lists all that is wrong."""
    found = complaints(pod(container={"image": "", "name": ""}, restartPolicy="x"))
    assert len(found) == 3


def _affinity(kind: str, required: Any) -> Json:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (_affinity("nodeAffinity", {"nodeSelectorTerms": []}), "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term"),
        (_affinity("nodeAffinity", {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1", "2"]}]}]}), "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"),
        (_affinity("podAntiAffinity", [{"topologyKey": "a", "matchLabelKeys": ["x"]}]), "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"),
        ({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]}, "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"),
        ({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]}, "spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"),
    ],
)  # fmt: skip
def test_where_a_pod_may_run(spec: Json, expected: str) -> None:
    """Constraints of scheduling are well-formed."""
    assert complaints(pod(**spec)) == [expected]


def test_two_constraints_about_the_same_are_refused() -> None:
    """A topology key is constrained once a strength."""
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    found = complaints(pod(topologySpreadConstraints=[constraint, constraint]))
    path = "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}"
    assert found == [f'{path}: Duplicate value: "{{zone, DoNotSchedule}}"']


def test_a_pod_in_its_nodes_network_has_the_same_port_there() -> None:
    """The port of a hostNetwork pod is the node's; another one is refused."""
    own = created(pod(container={"ports": [{"containerPort": 80}]}, hostNetwork=True))
    assert own["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    found = complaints(pod(container={"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True))
    assert found == [
        "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
    ]
