"""What a pod's spec says in vain, or says in a way that has been replaced: warnings in Kubernetes' words.

A warning costs nothing to heed; nothing of it keeps an object from being stored.
https://kubernetes.io/blog/2020/09/03/warnings/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from apiserver.core.byte_amounts import fraction_warnings
from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.podspec.remote_volumes import remote_warnings
from apiserver.core.values import Json, metadata, spec

OLD_LABELS: Final = {
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
}
"""What is said of labels of nodes that have a new name."""

_OLD_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_OF_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
_NO_SECCOMP: Final = (
    r"non-functional in v1.27+; use the \"seccompProfile\" field instead"  # so Kubernetes escapes it
)
_NO_POD: Final = "a null labelSelector results in matching no pod"
_MOST: Final = 100  # warnings of one object, and ports that one is compared with
_WHOLE: Final = ("memory", "ephemeral-storage")


def template_warnings(template: Json, path: str) -> tuple[str, ...]:
    """Return what to warn of in a template of pods."""
    return tuple(islice(_warnings(template, path), _MOST))


def pod_warnings(pod: Json) -> tuple[str, ...]:
    """Return what to warn of in a new pod."""
    return tuple(islice(_warnings(pod, ""), _MOST))


def term_warnings(term: Json, path: str) -> Iterator[str]:
    """Return what to warn of in a term that selects nodes."""
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        key = expression.get("key", "")
        if key in OLD_LABELS:
            yield f"{path}.matchExpressions[{index}].key: {key} is {OLD_LABELS[key]}"


def name_warnings(errors: list[str], what: str) -> tuple[str, ...]:
    """Return that a name is no good one for hosts; `what` it is used in, `errors`: why."""
    if not errors:
        return ()
    text = "which can result in surprising behavior; a DNS label is recommended"
    return (f"metadata.name: this is used in {what}, {text}: [{' '.join(errors)}]",)


def _warnings(holder: Json, path: str) -> Iterator[str]:
    own, annotations = spec(holder), metadata(holder).get("annotations") or {}
    where = f"{path}.spec" if path else "spec"
    yield from _in_places(own, where)
    if annotations:
        yield from _in_annotations(
            own, annotations, f"{path}.metadata.annotations" if path else "metadata.annotations"
        )
    yield from _in_volumes(own.get("volumes") or (), f"{where}.volumes")
    yield from _repeats(own.get("hostAliases") or (), "ip", f"{where}.hostAliases")
    yield from _in_secrets(own.get("imagePullSecrets") or (), f"{where}.imagePullSecrets")
    yield from fraction_warnings(own.get("overhead"), f"{where}.overhead", *_WHOLE)
    for container, at in containers_with_paths(own, where):
        resources = container.get("resources") or {}
        for name in ("limits", "requests"):
            yield from fraction_warnings(resources.get(name), f"{at}.resources.{name}", *_WHOLE)
        if len(container.get("env") or ()) > 1:
            yield from _hidden(container["env"], f"{at}.env")
    yield from _in_ports(own, where)
    yield from _in_pod_affinity(own.get("affinity") or {}, f"{where}.affinity")


def _in_secrets(secrets: Sequence[Json], path: str) -> Iterator[str]:
    yield from _repeats(secrets, "name", path)
    for index, each in enumerate(secrets):
        if not each.get("name"):
            yield f'{path}[{index}].name: invalid empty name ""'


def _in_places(own: Json, path: str) -> Iterator[str]:
    for key in own.get("nodeSelector") or ():
        if key in OLD_LABELS:
            yield f"{path}.nodeSelector[{key}]: {OLD_LABELS[key]}"
    affinity = (own.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    at = f"{path}.affinity.nodeAffinity"
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        yield from term_warnings(
            term, f"{at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"
        )
    for index, each in enumerate(affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()):
        where = f"{at}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference"
        yield from term_warnings(each.get("preference") or {}, where)
    for index, each in enumerate(own.get("topologySpreadConstraints") or ()):
        where, key = f"{path}.topologySpreadConstraints[{index}]", each.get("topologyKey", "")
        if key in OLD_LABELS:
            yield f"{where}.topologyKey: {key} is {OLD_LABELS[key]}"
        if "labelSelector" not in each:
            yield f"{where}.labelSelector: {_NO_POD}"


def _in_annotations(own: Json, annotations: Json, path: str) -> Iterator[str]:
    for key, text in _OLD_ANNOTATIONS.items():
        if key in annotations:
            yield f"{path}[{key}]: {text}"
    if _SECCOMP_OF_POD in annotations and "seccompProfile" not in (own.get("securityContext") or {}):
        yield f"{path}[{_SECCOMP_OF_POD}]: {_NO_SECCOMP}"
    for container, _ in containers_with_paths(own, ""):
        key = f"{_SECCOMP}{container.get('name', '')}"
        if key in annotations and "seccompProfile" not in (container.get("securityContext") or {}):
            yield f"{path}[{key}]: {_NO_SECCOMP}"


def _in_volumes(volumes: Sequence[Json], path: str) -> Iterator[str]:
    """Return which volumes nobody mounts any more, and which files of projected volumes are where a token is."""
    for index, volume in enumerate(volumes):
        yield from remote_warnings(volume, f"{path}[{index}]")
    sources = [
        (index, source)
        for index, volume in enumerate(volumes)
        for source in (volume.get("projected") or {}).get("sources") or ()
    ]
    tokens = {each["serviceAccountToken"].get("path") for _, each in sources if "serviceAccountToken" in each}
    if not tokens:
        return
    for index, source in sources:
        for field, word in (
            ("configMap", "configMap"),
            ("secret", "secrets"),
            ("downwardAPI", "downwardAPI"),
        ):
            for number, item in enumerate((source.get(field) or {}).get("items") or ()):
                if item.get("path") in tokens:
                    where = f"{path}[{index}].projected.sources.{word}[{number}]"
                    yield f'{where}: has duplicated path with ServiceAccountToken "{item["path"]}"'


def _repeats(items: Sequence[Json], key: str, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        value = item.get(key, "")
        if value in seen:
            yield f'{path}[{index}].{key}: duplicate {key} "{value}"'
        seen.add(value)


def _hidden(variables: Sequence[Json], path: str) -> Iterator[str]:
    """Return which variables take the place of one before them without making use of it."""
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name, value = variable.get("name", ""), variable.get("value", "")
        itself = f"$({name})"
        if name in seen and ("valueFrom" in variable or value == itself or itself not in value):
            yield f'{path}[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def _in_ports(own: Json, path: str) -> Iterator[str]:
    """Return which ports of a pod's containers are defined more than once."""
    seen: dict[tuple[int, str], list[tuple[str, Json]]] = {}
    for container, at in containers_with_paths(own, path):
        for index, port in enumerate(container.get("ports") or ()):
            where = f"{at}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                yield f"{where}: hostIP set without hostPort: {_printed(port)}"
            others = seen.setdefault((port.get("containerPort", 0), port.get("protocol", "")), [])
            yield from (
                f"{where}: {problem} port definition with {other}"
                for other, port_before in others
                if (problem := _clash(port, port_before))
            )
            if len(others) < _MOST:
                others.append((where, port))


def _clash(port: Json, other: Json) -> str:
    address, number = port.get("hostIP", ""), port.get("hostPort", 0)
    other_address, other_number = other.get("hostIP", ""), other.get("hostPort", 0)
    if (address, number) == (other_address, other_number):
        return "duplicate"
    if not number or not other_number:
        return "overlapping"
    is_ambiguous = number == other_number and bool(address) != bool(other_address)
    return "dangerously ambiguous" if is_ambiguous else ""


def _printed(port: Json) -> str:
    """Return a port as Go prints it."""
    numbers = f"HostPort:{port.get('hostPort', 0)} ContainerPort:{port.get('containerPort', 0)}"
    return f"{{Name:{port.get('name', '')} {numbers} Protocol:{port.get('protocol', '')} HostIP:{port.get('hostIP', '')}}}"


def _in_pod_affinity(affinity: Json, path: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        own, at = affinity.get(kind) or {}, f"{path}.{kind}"
        for index, term in enumerate(own.get("requiredDuringSchedulingIgnoredDuringExecution") or ()):
            if "labelSelector" not in term:
                where = f"{at}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"
                yield f"{where}.labelSelector: {_NO_POD}"
        for index, each in enumerate(own.get("preferredDuringSchedulingIgnoredDuringExecution") or ()):
            if "labelSelector" not in (each.get("podAffinityTerm") or {}):
                where = f"{at}.preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm"
                yield f"{where}.labelSelector: {_NO_POD}"
