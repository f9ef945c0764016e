"""The controller of so many pods of a template, for ReplicaSets."""

from __future__ import annotations

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Settings
from controllers.core.replicas.controller import build_for
from controllers.core.replicas.plan import Seen
from controllers.core.workloads import REPLICA_SETS


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    return build_for(REPLICA_SETS, "replicaset-controller", caches)
