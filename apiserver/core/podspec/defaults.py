"""The defaults of a pod's spec.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ names them field by field. All
functions own what they are given, fill it in place, and change nothing when they run again. A template gets the
defaults of its pods except for those that depend on the pod alone (`default_pod`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Final

from apiserver.core.podspec.claimed_volumes import default_ephemeral
from apiserver.core.podspec.pod_resources import default_pod_resources
from apiserver.core.podspec.remote_volumes import default_remote
from apiserver.core.values import Json
from machinery.model import quantity

_FILE_MODE: Final = 0o644
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS: Final = ("postStart", "preStop")


def default_pod(obj: Json) -> Json:
    """Fill a pod: the defaults of its spec, and requests where there are limits only."""
    spec = obj.setdefault("spec", {})
    for container in containers(spec):
        _request_what_is_limited(container)
    default_pod_resources(spec)
    spec.setdefault("enableServiceLinks", True)
    default_spec(spec)
    if spec.get("hostNetwork"):
        for container in containers(spec):
            for port in container.get("ports") or []:
                if not port.get("hostPort") and "containerPort" in port:
                    port["hostPort"] = port["containerPort"]
    obj.setdefault("status", {})
    return obj


def default_template(template: Json) -> Json:
    """Fill a pod template."""
    template.setdefault("metadata", {})
    default_spec(template.setdefault("spec", {}))
    return template


def containers(spec: Json) -> Iterator[Json]:
    """Return every container of a spec, those of the start first."""
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def default_spec(spec: Json) -> None:
    """Fill what pods and templates share."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    _name_service_account(spec)
    for volume in spec.get("volumes") or []:
        _default_volume(volume)
    for container in containers(spec):
        _default_container(container)
    for container in spec.get("ephemeralContainers") or []:
        _default_container(container)
    if spec.get("resources"):
        _round_to_thousandths(spec["resources"])


def _name_service_account(spec: Json) -> None:
    """Keep `serviceAccount`, the deprecated alias, equal to `serviceAccountName`, which wins."""
    if name := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _request_what_is_limited(container: Json) -> None:
    resources = container.get("resources") or {}
    if limits := resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def _round_to_thousandths(resources: Json) -> None:
    """Round amounts up: who asks for some gets some."""
    for field in ("limits", "requests"):
        for name, amount in (resources.get(field) or {}).items():
            resources[field][name] = _in_thousandths(amount)


@lru_cache(maxsize=512)
def _in_thousandths(amount: str) -> str:
    thousandths = quantity.parse(amount) * 1000
    if thousandths.denominator == 1:
        return amount
    return quantity.format_amount(Fraction(ceil(thousandths), 1000))


def _default_container(container: Json) -> None:
    _round_to_thousandths(container.setdefault("resources", {}))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or []:
        _default_source(variable.get("valueFrom") or {})
    for name in _PROBES:
        if name in container:
            _default_probe(container[name])
    lifecycle = container.get("lifecycle") or {}
    for name in _HOOKS:
        _default_http((lifecycle.get(name) or {}).get("httpGet"))


def pull_policy(image: str) -> str:
    """Return the policy of an image reference: what can move is pulled each time, what is named stays."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in {"", "latest"} else "IfNotPresent"


def _default_source(source: Json) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _default_probe(probe: Json) -> None:
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(name, value)
    _default_http(probe.get("httpGet"))
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _default_http(get: Json | None) -> None:
    if get is not None:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")


def _default_volume(volume: Json) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if name in volume:
            volume[name].setdefault("defaultMode", _FILE_MODE)
    if "image" in volume:
        volume["image"].setdefault("pullPolicy", pull_policy(volume["image"].get("reference", "")))
    if "ephemeral" in volume:
        default_ephemeral(volume["ephemeral"])
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    default_remote(volume)
    for item in (volume.get("downwardAPI") or {}).get("items") or []:
        _default_source(item)
    _default_projections(volume)


def _default_projections(volume: Json) -> None:
    for source in (volume.get("projected") or {}).get("sources") or []:
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            _default_source(item)
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
