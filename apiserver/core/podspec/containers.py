"""The rules of containers: those of the start, sidecars among them, and those that the pod is for."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.device_claims import used_claim_causes
from apiserver.core.podspec.devices import device_causes
from apiserver.core.podspec.env import env_causes, env_from_causes, file_volume_causes
from apiserver.core.podspec.ephemeral import FIELD as EPHEMERAL
from apiserver.core.podspec.ephemeral import own_causes
from apiserver.core.podspec.lifecycle import lifecycle_causes
from apiserver.core.podspec.mounts import mount_causes
from apiserver.core.podspec.ports import host_port_conflicts, port_list_causes
from apiserver.core.podspec.probes import probe_causes
from apiserver.core.podspec.resources import resize_causes, resource_causes
from apiserver.core.podspec.restart_rules import restart_causes
from apiserver.core.podspec.security import container_security_causes
from apiserver.core.podspec.volumes import PULL_POLICIES
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_MESSAGE_POLICIES: Final = frozenset({"FallbackToLogsOnError", "File"})
_ONLY_LASTING: Final = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def container_list_causes(spec: Json, path: str) -> list[Cause]:
    """Check the lists of containers, and that no name is there twice."""
    return [
        *_main_causes(spec, f"{path}.containers"),
        *_init_causes(spec, f"{path}.initContainers"),
        *_ephemeral_causes(spec, f"{path}.{EPHEMERAL}"),
    ]


def _main_causes(spec: Json, path: str) -> list[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        return [field_errors.required(path)]
    found: list[Cause] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        found += _common_causes(container, spec, where)
        found += _name_once(container, where, seen)
        found += _lasting_causes(container, spec, where)
        found += restart_causes(container, where)
    return found + host_port_conflicts(containers, path)


def _init_causes(spec: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    seen = {container.get("name", "") for container in spec.get("containers") or []}
    for index, container in enumerate(spec.get("initContainers") or []):
        where = f"{path}[{index}]"
        found += _common_causes(container, spec, where)
        found += restart_causes(container, where)
        found += _name_once(container, where, seen)
        found += host_port_conflicts([container], path, first=index)
        if container.get("restartPolicy") == "Always":
            found += _lasting_causes(container, spec, where)
        else:
            text = "may not be set for init containers without restartPolicy=Always"
            found += [
                field_errors.forbidden(f"{where}.{name}", text) for name in _ONLY_LASTING if name in container
            ]
    return found


def _ephemeral_causes(spec: Json, path: str) -> list[Cause]:
    containers = spec.get(EPHEMERAL)
    if not containers:
        return []
    seen = {
        each.get("name", "") for field in ("containers", "initContainers") for each in spec.get(field) or []
    }
    others = frozenset(seen)
    found: list[Cause] = []
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        found += _common_causes(container, spec, where)
        found += _name_once(container, where, seen)
        found += own_causes(container, others, where)
    return found


def _name_once(container: Json, path: str, seen: set[str]) -> list[Cause]:
    name = container.get("name", "")
    found = [field_errors.duplicate(f"{path}.name", name)] if name and name in seen else []
    seen.add(name)
    return found


def _lasting_causes(container: Json, spec: Json, path: str) -> list[Cause]:
    """Check what only a container has that keeps running."""
    grace_s = spec.get("terminationGracePeriodSeconds")
    found = lifecycle_causes(container.get("lifecycle") or {}, f"{path}.lifecycle", grace_s)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            found += probe_causes(container[name], f"{path}.{name}", name)
    return found


def _common_causes(container: Json, spec: Json, path: str) -> list[Cause]:
    resources = container.get("resources") or {}
    return [
        *_identity_causes(container, path),
        *port_list_causes(container.get("ports") or [], f"{path}.ports"),
        *env_causes(container.get("env") or [], f"{path}.env"),
        *file_volume_causes(container.get("env") or [], spec.get("volumes") or [], f"{path}.env"),
        *env_from_causes(container.get("envFrom") or [], f"{path}.envFrom"),
        *mount_causes(container, spec.get("volumes") or [], f"{path}.volumeMounts"),
        *device_causes(container, spec.get("volumes") or [], f"{path}.volumeDevices"),
        *_required_one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy", ""), PULL_POLICIES),
        *resource_causes(resources, f"{path}.resources"),
        *used_claim_causes(
            resources.get("claims") or [], spec.get("resourceClaims") or [], f"{path}.resources.claims"
        ),
        *resize_causes(container.get("resizePolicy") or [], spec, f"{path}.resizePolicy"),
        *container_security_causes(container, spec, path),
    ]


def _identity_causes(container: Json, path: str) -> list[Cause]:
    name, policy = container.get("name", ""), container.get("terminationMessagePolicy", "")
    if name:
        found = field_errors.each_invalid(f"{path}.name", name, names.dns_label_errors(name))
    else:
        found = [field_errors.required(f"{path}.name")]
    if not container.get("image"):
        found.append(field_errors.required(f"{path}.image"))
    return found + _required_one_of(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES)


def _required_one_of(path: str, value: str, supported: frozenset[str]) -> list[Cause]:
    return field_errors.one_of(path, value, supported) if value else [field_errors.required(path)]


def image_causes(spec: Json, path: str) -> list[Cause]:
    """Check what pods, other than templates, may not have: blanks around an image's name."""
    text = "must not have leading or trailing whitespace"
    return [
        field_errors.invalid(f"{path}.{field}[{index}].image", container["image"], text)
        for field in ("containers", "initContainers", EPHEMERAL)
        for index, container in enumerate(spec.get(field) or [])
        if container.get("image", "") != container.get("image", "").strip()
    ]
