"""What a pod may ask for in Kubernetes and not here: the sentence of a 501, instead of a pod that lacks it in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.values import Json

_BUILT_VOLUMES: Final = frozenset(
    {
        "configMap",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "hostPath",
        "image",
        "name",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_BUILT_PROJECTIONS: Final = frozenset({"configMap", "downwardAPI", "secret", "serviceAccountToken"})
_BUILT_MEDIA: Final = frozenset({"", "Memory"})

_SPEC: Final[dict[str, str]] = {
    "hostnameOverride": "the hostname is metadata.name or spec.hostname",
    "resources": "give requests and limits to the containers",
    "schedulingGroup": "pods are scheduled one by one",
    "setHostnameAsFQDN": "the hostname is the short one",
}
_CONTAINER: Final[dict[str, str]] = {
    "restartPolicyRules": "the pod's restartPolicy holds for all of its containers",
}
_HARMLESS: Final[dict[str, frozenset[Any]]] = {  # what says the same as silence
    "setHostnameAsFQDN": frozenset({False}),
}


def unbuilt_in_spec(spec: Json, path: str) -> str:
    """Return the first thing in a pod's spec that Kubarium has not built; "" where there is none."""
    return next(_missing(spec, path), "")


def _missing(spec: Json, path: str) -> Iterator[str]:
    if (spec.get("os") or {}).get("name") == "windows":
        yield f"{path}.os.name: windows is not built: nodes run Linux"
    if spec.get("hostUsers") is False:
        yield f"{path}.hostUsers: false is not built: pods have no user namespace of their own"
    yield from _asked(spec, _SPEC, path)
    yield from _in_security(spec, path)
    for index, volume in enumerate(spec.get("volumes") or []):
        yield from _in_volume(volume, f"{path}.volumes[{index}]")
    for container, where in containers_with_paths(spec, path):
        yield from _in_container(container, where, sidecar="initContainers" in where)


def _asked(part: Json, table: dict[str, str], path: str) -> Iterator[str]:
    for name, why in table.items():
        value = part.get(name)
        if value is None or _is_harmless(name, value):
            continue
        yield f"{path}.{name} is not built" + (f": {why}" if why else "")


def _is_harmless(name: str, value: Any) -> bool:
    return isinstance(value, bool | str) and value in _HARMLESS.get(name, frozenset())


def _in_volume(volume: Json, path: str) -> Iterator[str]:
    for name in sorted(set(volume) - _BUILT_VOLUMES):
        yield f"{path}.{name} is not built: volumes may be persistentVolumeClaim, ephemeral, emptyDir, hostPath, configMap, secret, downwardAPI, projected or image"
    if (medium := (volume.get("emptyDir") or {}).get("medium", "")) not in _BUILT_MEDIA:
        yield f"{path}.emptyDir.medium: {medium} is not built: it may be left out, or Memory"
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or []):
        for name in sorted(set(source) - _BUILT_PROJECTIONS):
            yield f"{path}.projected.sources[{index}].{name} is not built"


def _in_container(container: Json, path: str, *, sidecar: bool) -> Iterator[str]:
    yield from _asked(container, _CONTAINER, path)
    yield from _in_security(container, path)
    if container.get("restartPolicy") in {"Never", "OnFailure"}:
        why = "it may only be Always, of an init container" if sidecar else "it is the pod's"
        yield f"{path}.restartPolicy: {container['restartPolicy']} is not built: {why}"
    for index, variable in enumerate(container.get("env") or []):
        if "fileKeyRef" in (variable.get("valueFrom") or {}):
            yield f"{path}.env[{index}].valueFrom.fileKeyRef is not built"
    yield from _in_lifecycle(container.get("lifecycle") or {}, f"{path}.lifecycle")
    yield from _in_mounts(container, path)


def _in_security(part: Json, path: str) -> Iterator[str]:
    context = part.get("securityContext") or {}
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{path}.securityContext.windowsOptions.hostProcess is not built: nodes run Linux"
    if context.get("procMount") == "Unmasked":
        yield f"{path}.securityContext.procMount: Unmasked is not built: it needs hostUsers: false"


def _in_lifecycle(lifecycle: Json, path: str) -> Iterator[str]:
    for name in ("postStart", "preStop"):
        if "tcpSocket" in (lifecycle.get(name) or {}):
            yield f"{path}.{name}.tcpSocket is not built (Kubernetes has deprecated it)"
    if "stopSignal" in lifecycle:
        yield f"{path}.stopSignal is not built: containers are stopped with their image's signal"


def _in_mounts(container: Json, path: str) -> Iterator[str]:
    for index, mount in enumerate(container.get("volumeMounts") or []):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("recursiveReadOnly") == "Enabled":
            yield f"{where}.recursiveReadOnly: Enabled is not built: IfPossible does what the runtime can"
