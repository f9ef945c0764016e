"""The annotation that says which change an Endpoints or EndpointSlice was written for, so that its delay can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controllers.core.moment import Moment
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.k8s.meta_v1 import ObjectMeta

TRIGGER_TIME: Final = "endpoints.kubernetes.io/last-change-trigger-time"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def trigger_time(service: Service, pods: Sequence[Pod], written: Sequence[ObjectMeta], moment: Moment) -> str:
    """Return the time of the first change that is not written yet: the Service's creation, a pod's readiness.

    `written` are the objects that there are. Where the time is not known (a pod is gone), there is none; objects that
    have none now get the latest change.
    """
    shown = max((meta.annotations.get(TRIGGER_TIME, "") for meta in written), default="")
    ready = (find(pod.status.conditions, "Ready") for pod in pods)
    times = [service.metadata.creationTimestamp, *(found.lastTransitionTime for found in ready if found)]
    dated = [(moment.at(text) or 0.0, text) for text in times if text]
    if written and not shown:
        return max(dated, default=(0.0, ""))[1]
    known_s = moment.at(shown) if shown else None
    fresh = [(at_s, text) for at_s, text in dated if known_s is None or at_s > known_s]
    return min(fresh, default=(0.0, ""))[1]
