"""What the status of an autoscaler says of how it does, in Kubernetes' words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controllers.core.moment import Moment
from machinery.model.k8s.autoscaling_v2 import HorizontalPodAutoscalerCondition as Condition

ABLE: Final = "AbleToScale"
ACTIVE: Final = "ScalingActive"
LIMITED: Final = "ScalingLimited"


class Conditions:
    """The conditions of an autoscaler while a plan for it is made; a time moves where a status does."""

    def __init__(self, known: Sequence[Condition], moment: Moment) -> None:
        self.all = list(known)
        self._moment = moment

    def set(self, type_: str, reason: str, message: str, *, holds: bool) -> None:
        """Say something."""
        status = str(holds)
        old = next((each for each in self.all if each.type == type_), None)
        since = old.lastTransitionTime if old is not None and old.status == status else self._moment.text
        new = Condition(type=type_, status=status, reason=reason, message=message, lastTransitionTime=since)
        if old is None:
            self.all.append(new)
        else:
            self.all[self.all.index(old)] = new
