"""How fast a pod may send and receive: its annotations, as the CNI plugin `bandwidth` is told them.

https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/#support-traffic-shaping
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from machinery.model.errors import BadRequest
from machinery.model.quantity import memory_bytes

INGRESS: Final = "kubernetes.io/ingress-bandwidth"  # bits per second that the pod receives
EGRESS: Final = "kubernetes.io/egress-bandwidth"  # that it sends
_LEAST: Final = 10**3
_MOST: Final = 10**15
_BURSTS_PER_S: Final = 10
_LEAST_BURST: Final = 8 * 16 * 1024  # bits; a packet that is longer would never pass
_MOST_BURST: Final = 2**32 - 1


def bandwidth(annotations: Mapping[str, str]) -> dict[str, int]:
    """Return the rates (bits per second) and bursts (bits: a tenth of a second's) that a pod is held to; empty if to none.

    Raises:
        BadRequest: a rate is no quantity, or not from 1k to 1P; the message names the annotation.
    """
    limits: dict[str, int] = {}
    for name, key in (("ingress", INGRESS), ("egress", EGRESS)):
        if key in annotations:
            rate = _rate(key, annotations[key])
            burst = min(max(rate // _BURSTS_PER_S, _LEAST_BURST), _MOST_BURST)
            limits |= {f"{name}Rate": rate, f"{name}Burst": burst}
    return limits


def _rate(key: str, text: str) -> int:
    try:
        rate = memory_bytes(text)
    except ValueError as error:
        raise BadRequest(f"annotation {key}: {error}") from error
    if not _LEAST <= rate <= _MOST:
        raise BadRequest(f"annotation {key}: has to be from 1k to 1P bits per second, not {text}")
    return rate
