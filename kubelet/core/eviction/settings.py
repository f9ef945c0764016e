"""What the eviction of pods is told."""

from __future__ import annotations

from dataclasses import dataclass

from kubelet.core.eviction.thresholds import Threshold


@dataclass(frozen=True, slots=True)
class EvictionSettings:
    """When pods are evicted. Cluster seconds."""

    thresholds: tuple[Threshold, ...]
    transition_s: float = 300.0  # so long does a condition last after its last look
    most_grace_s: float = 0.0  # of pods that go because of a soft threshold
