"""The rules of a pod's spec, alone or in a template: its own fields here, each other subject in its file.

The spec has its defaults. The result is in the order of the subjects, not of the fields.
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, metadata
from apiserver.core.podspec.affinity import affinity_causes
from apiserver.core.podspec.containers import container_list_causes
from apiserver.core.podspec.device_claims import device_claim_causes
from apiserver.core.podspec.dns import dns_causes
from apiserver.core.podspec.pod_resources import pod_resource_causes
from apiserver.core.podspec.resources import resource_causes
from apiserver.core.podspec.security import host_users_causes, pod_security_causes
from apiserver.core.podspec.spread import spread_causes
from apiserver.core.podspec.tolerations import toleration_causes
from apiserver.core.podspec.volumes import volume_causes
from apiserver.core.podspec.windows import host_process_causes, of_linux_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_RESTART_POLICIES: Final = ["Always", "OnFailure", "Never"]
_LARGEST: Final = 2**31 - 1
_LONGEST_HOSTNAME: Final = 64  # characters


def validate_spec(spec: Json, path: str) -> list[Cause]:
    """Find what is wrong with the spec of a pod or of a pod template."""
    return [
        *volume_causes(spec.get("volumes") or [], f"{path}.volumes"),
        *device_claim_causes(spec.get("resourceClaims") or [], f"{path}.resourceClaims"),
        *container_list_causes(spec, path),
        *pod_resource_causes(spec, path),
        *_host_network_causes(spec, path),
        *_restart_causes(spec, path),
        *dns_causes(spec, path),
        *metadata.validate_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector"),
        *pod_security_causes(spec, path),
        *host_users_causes(spec, path),
        *affinity_causes(spec.get("affinity") or {}, f"{path}.affinity"),
        *_gate_causes(spec, path),
        *spread_causes(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints"),
        *_name_causes(spec, path),
        *_deadline_causes(spec, path),
        *toleration_causes(spec.get("tolerations") or [], f"{path}.tolerations"),
        *_preemption_causes(spec, path),
        *(resource_causes({"limits": spec["overhead"]}, f"{path}.overhead") if "overhead" in spec else ()),
        *_os_causes(spec, path),
        *host_process_causes(spec, path),
    ]


def _restart_causes(spec: Json, path: str) -> list[Cause]:
    policy = spec.get("restartPolicy", "")
    if not policy:
        return [field_errors.required(f"{path}.restartPolicy")]
    return field_errors.one_of(f"{path}.restartPolicy", policy, _RESTART_POLICIES)


def _host_network_causes(spec: Json, path: str) -> list[Cause]:
    """Check that a pod in its node's network says no other port than it has there."""
    if not spec.get("hostNetwork"):
        return []
    text = "must match `containerPort` when `hostNetwork` is true"
    return [
        field_errors.invalid(f"{path}.containers[{index}].ports[{number}].hostPort", port["hostPort"], text)
        for index, container in enumerate(spec.get("containers") or [])
        for number, port in enumerate(container.get("ports") or [])
        if port.get("hostPort") and port["hostPort"] != port.get("containerPort")
    ]


def _gate_causes(spec: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for index, gate in enumerate(spec.get("readinessGates") or []):
        type_ = gate.get("conditionType", "")
        where = f"{path}.readinessGates[{index}].conditionType"
        found += field_errors.each_invalid(where, type_, names.label_key_errors(type_))
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or []):
        where, name = f"{path}.schedulingGates[{index}]", gate.get("name", "")
        found += field_errors.each_invalid(where, name, names.label_key_errors(name))
        found += [field_errors.duplicate(where, name)] if name in seen else []
        seen.add(name)
    return found


def _name_causes(spec: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if name := spec.get(field):
            found += field_errors.each_invalid(f"{path}.{field}", name, names.dns_subdomain_errors(name))
    for field in ("hostname", "subdomain"):
        if name := spec.get(field):
            found += field_errors.each_invalid(f"{path}.{field}", name, names.dns_label_errors(name))
    return found + _hostname_override_causes(spec, f"{path}.hostnameOverride")


def _hostname_override_causes(spec: Json, path: str) -> list[Cause]:
    """Check the name that a pod sees as its own, whatever its DNS records say: as long as a kernel's may be."""
    name = spec.get("hostnameOverride")
    if not name:
        return []
    found = field_errors.each_invalid(path, name, names.dns_subdomain_errors(name))
    if len(name) > _LONGEST_HOSTNAME:
        text = f"must be no more than {_LONGEST_HOSTNAME} characters"
        found.append(field_errors.invalid(path, name, text))
    for other in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(other):
            found.append(field_errors.forbidden(path, f"may not be set when `{other}` is true"))
    return found


def _deadline_causes(spec: Json, path: str) -> list[Cause]:
    deadline_s = spec.get("activeDeadlineSeconds")
    return (
        []
        if deadline_s is None
        else field_errors.within(f"{path}.activeDeadlineSeconds", deadline_s, 1, _LARGEST)
    )


def _preemption_causes(spec: Json, path: str) -> list[Cause]:
    if "preemptionPolicy" not in spec:
        return []
    supported = {"Never", "PreemptLowerPriority"}
    return field_errors.one_of(f"{path}.preemptionPolicy", spec["preemptionPolicy"], supported)


def _os_causes(spec: Json, path: str) -> list[Cause]:
    if "os" not in spec:
        return []
    name = spec["os"].get("name", "")
    if not name:
        return [field_errors.required(f"{path}.os.name", "cannot be empty")]
    found = field_errors.one_of(f"{path}.os", name, {"linux", "windows"})
    return found + of_linux_causes(spec, path) if name == "windows" else found
