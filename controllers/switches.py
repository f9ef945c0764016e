"""Which controllers run: `--controllers=*,-job`, by the names that kube-controller-manager has for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from controllers.core.controller import Build

ALL: Final = "*"
_OTHERS: Final = {  # by folder: the name, and the older one; any other is the folder's name with and without -controller
    "bootstrap_signer": ("bootstrap-signer-controller", "bootstrapsigner"),
    "certificate_approving": ("certificatesigningrequest-approving-controller", "csrapproving"),
    "certificate_cleaning": ("certificatesigningrequest-cleaner-controller", "csrcleaner"),
    "certificate_signing": ("certificatesigningrequest-signing-controller", "csrsigning"),
    "endpoints": ("endpoints-controller", "endpoint"),
    "endpointslicemirroring": ("endpointslice-mirroring-controller", "endpointslicemirroring"),
    "garbage_collector": ("garbage-collector-controller", "garbagecollector"),
    "horizontal_pod_autoscaler": ("horizontal-pod-autoscaler-controller", "horizontalpodautoscaling"),
    "node_ipam": ("node-ipam-controller", "nodeipam"),
    "node_lifecycle": ("node-lifecycle-controller", "nodelifecycle"),
    "pod_gc": ("pod-garbage-collector-controller", "podgc"),
    "pv_protection": ("persistentvolume-protection-controller", "pv-protection"),
    "pvc_protection": ("persistentvolumeclaim-protection-controller", "pvc-protection"),
    "resource_claim": ("resourceclaim-controller", "resource-claim-controller"),
    "service_lb": ("service-lb-controller", "service"),
    "token_cleaner": ("token-cleaner-controller", "tokencleaner"),
    "vac_protection": (
        "volumeattributesclass-protection-controller",
        "volumeattributesclass-protection",
    ),
    "ttl_after_finished": ("ttl-after-finished-controller", "ttl-after-finished"),
}


def names_of(build: Build) -> tuple[str, str]:
    """Return the name of a controller, and the one that it had before Kubernetes 1.28."""
    folder = build.__module__.split(".")[1]
    plain = folder.replace("_", "-")
    return _OTHERS.get(folder, (f"{plain}-controller", plain))


def unknown(switches: Iterable[str], table: Iterable[Build]) -> list[str]:
    """Return which of some switches name no controller."""
    named = [each for each in switches if each != ALL]
    known = {name for build in table for name in names_of(build)} if named else ()
    return [each for each in named if each.removeprefix("-") not in known]


def switched_on(switches: Sequence[str], table: Iterable[Build]) -> tuple[Build, ...]:
    """Return the controllers that run: those that are named, all others where `*` is there, never those with a dash.

    Of several switches for one controller the first counts.
    """
    if tuple(switches) == (ALL,):
        return tuple(table)
    return tuple(build for build in table if _is_on(switches, names_of(build)))


def _is_on(switches: Sequence[str], names: tuple[str, str]) -> bool:
    for each in switches:
        if each.removeprefix("-") in names:
            return not each.startswith("-")
    return ALL in switches
