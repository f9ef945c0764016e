"""What a kubelet learns, while it runs, of where it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kubelet.core.life import Surroundings

HOLLOW: Final = "hollow"  # the runtime that simulates containers


class Situation:
    """The surroundings of pods' lives, and whether the kubelet is about to end."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._is_draining = False

    def surroundings(self) -> Surroundings:
        """Return what a pod's life needs to know of the node."""
        return self._around

    def is_simulated(self) -> bool:
        """Whether containers are simulated; False until the runtime has said what it is called."""
        return self._around.runtime == HOLLOW

    def is_draining(self) -> bool:
        """Whether nothing new is begun any more."""
        return self._is_draining

    def learn_runtime(self, name: str) -> None:
        """Note what the runtime calls itself."""
        self._around = replace(self._around, runtime=name)

    def drain(self) -> None:
        """Note that the kubelet is about to end."""
        self._is_draining = True
