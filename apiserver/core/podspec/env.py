"""The rules of environment variables, and of references to a pod's own fields (the downward API).

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import own_file_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

ENV_FIELDS: Final = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    },
)
FILE_FIELDS: Final = frozenset(
    {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
)
_KNOWN_FIELDS: Final = frozenset(
    {*ENV_FIELDS, *FILE_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"},
)
_RESOURCES: Final = frozenset(
    {
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
    },
)
_CPU_DIVISORS: Final = frozenset({"1", "1m"})
_BYTE_DIVISORS: Final = (
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
)  # fmt: skip
_SUBSCRIPTED: Final = re.compile(r"(.+)\['(.*)'\]", re.DOTALL)
_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_LONGEST_KEY: Final = 128  # bytes of a variable's name in a file


def env_causes(variables: list[Json], path: str) -> list[Cause]:
    """Check variables one by one."""
    found: list[Cause] = []
    for index, variable in enumerate(variables):
        where, name = f"{path}[{index}]", variable.get("name", "")
        if name:
            found += field_errors.each_invalid(f"{where}.name", name, names.env_name_errors(name))
        else:
            found.append(field_errors.required(f"{where}.name"))
        if "valueFrom" in variable:
            found += _value_from_causes(variable, f"{where}.valueFrom")
    return found


def _value_from_causes(variable: Json, path: str) -> list[Cause]:
    source = variable["valueFrom"]
    given = [name for name in _SOURCES if name in source]
    found: list[Cause] = []
    if "fieldRef" in source:
        found += field_causes(source["fieldRef"], f"{path}.fieldRef", ENV_FIELDS)
    if "resourceFieldRef" in source:
        found += resource_field_causes(source["resourceFieldRef"], f"{path}.resourceFieldRef", in_file=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in source:
            found += _key_causes(source[name], f"{path}.{name}")
    if "fileKeyRef" in source:
        found += _file_key_causes(source["fileKeyRef"], f"{path}.fileKeyRef")
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        found.append(field_errors.invalid(path, "", text))
    elif variable.get("value"):
        found.append(field_errors.invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        found.append(field_errors.invalid(path, "", "may not have more than one field specified at a time"))
    return found


def _key_causes(source: Json, path: str) -> list[Cause]:
    name, key = source.get("name", ""), source.get("key", "")
    found = field_errors.each_invalid(f"{path}.name", name, names.dns_subdomain_errors(name))
    if not key:
        return [*found, field_errors.required(f"{path}.key")]
    return found + field_errors.each_invalid(f"{path}.key", key, names.config_key_errors(key))


def _file_key_causes(source: Json, path: str) -> list[Cause]:
    """Check which variable of which file in a volume is meant."""
    found: list[Cause] = []
    if not source.get("volumeName"):
        found.append(field_errors.required(f"{path}.volumeName"))
    place, key = source.get("path", ""), source.get("key", "")
    found += own_file_causes(f"{path}.path", place) if place else [field_errors.required(f"{path}.path")]
    if not key:
        return [*found, field_errors.required(f"{path}.key")]
    if len(key) > _LONGEST_KEY:
        found.append(field_errors.too_long(f"{path}.key", _LONGEST_KEY))
    return found + field_errors.each_invalid(f"{path}.key", key, names.env_name_errors(key))


def file_volume_causes(variables: list[Json], volumes: list[Json], path: str) -> list[Cause]:
    """Check that the volumes of files with variables are there, and folders that live as long as their pod."""
    by_name = {volume.get("name", ""): volume for volume in volumes}
    found: list[Cause] = []
    for index, variable in enumerate(variables):
        source = (variable.get("valueFrom") or {}).get("fileKeyRef") or {}
        if not (name := source.get("volumeName")):
            continue
        where = f"{path}[{index}].valueFrom.fileKeyRef.volumeName"
        if name not in by_name:
            found.append(field_errors.not_found(where, name))
        elif "emptyDir" not in by_name[name]:
            found.append(field_errors.invalid(where, name, "referenced volume must be of type emptyDir"))
    return found


def field_causes(reference: Json, path: str, supported: frozenset[str]) -> list[Cause]:
    """Check a reference to a field of the pod."""
    version, field = reference.get("apiVersion", ""), reference.get("fieldPath", "")
    for name, value in (("apiVersion", version), ("fieldPath", field)):
        if not value:
            return [field_errors.required(f"{path}.{name}")]
    where = f"{path}.fieldPath"
    if version != "v1":
        text = f"error converting fieldPath: unsupported pod version: {version}"
        return [field_errors.invalid(where, field, text)]
    if subscripted := _SUBSCRIPTED.fullmatch(field):
        return _subscript_causes(subscripted[1], subscripted[2], path, field)
    if field not in _KNOWN_FIELDS:
        return [
            field_errors.invalid(
                where, field, f"error converting fieldPath: field label not supported: {field}"
            )
        ]
    return field_errors.one_of(where, field, supported)


def _subscript_causes(holder: str, key: str, path: str, field: str) -> list[Cause]:
    if holder == "metadata.annotations":
        return field_errors.each_invalid(path, key.lower(), names.label_key_errors(key.lower()))
    if holder == "metadata.labels":
        return field_errors.each_invalid(path, key, names.label_key_errors(key))
    text = f"error converting fieldPath: field label does not support subscript: {field}"
    return [field_errors.invalid(f"{path}.fieldPath", field, text)]


def resource_field_causes(reference: Json, path: str, *, in_file: bool) -> list[Cause]:
    """Check a reference to a container's request or limit; in a file it has to name the container."""
    resource = reference.get("resource", "")
    found: list[Cause] = []
    if in_file and not reference.get("containerName"):
        found.append(field_errors.required(f"{path}.containerName"))
    elif not resource:
        found.append(field_errors.required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        found.append(field_errors.not_supported(f"{path}.resource", resource, _RESOURCES))
    return found + _divisor_causes(resource, str(reference.get("divisor", "0")), path)


def _divisor_causes(resource: str, divisor: str, path: str) -> list[Cause]:
    what = resource.partition(".")[2]
    if divisor == "0" or not what:
        return []
    if what == "cpu":
        if divisor in _CPU_DIVISORS:
            return []
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
        return [field_errors.invalid(f"{path}.divisor", resource, text)]
    if divisor in _BYTE_DIVISORS:
        return []
    names_ = {"ephemeral-storage": "local ephemeral storage", "memory": "memory"}
    text = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the {names_.get(what, 'hugepages')} resource"
    return [field_errors.invalid(f"{path}.divisor", resource, text)]


def env_from_causes(sources: list[Json], path: str) -> list[Cause]:
    """Check the ConfigMaps and Secrets that become variables as a whole."""
    found: list[Cause] = []
    for index, source in enumerate(sources):
        where, prefix = f"{path}[{index}]", source.get("prefix", "")
        if prefix:
            found += field_errors.each_invalid(f"{where}.prefix", prefix, names.env_name_errors(prefix))
        given = [name for name in ("configMapRef", "secretRef") if name in source]
        for name in given:
            found += object_name_causes(source[name].get("name", ""), f"{where}.{name}.name")
        if not given:
            found.append(field_errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            found.append(
                field_errors.invalid(path, "", "may not have more than one field specified at a time")
            )
    return found


def object_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of another object, which has to be there."""
    return (
        field_errors.each_invalid(path, name, names.dns_subdomain_errors(name))
        if name
        else [field_errors.required(path)]
    )
