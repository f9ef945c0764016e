"""The one error of volumes."""

from __future__ import annotations

from typing import Final

SET_UP: Final = "MountVolume.SetUp failed"


class VolumeProblem(Exception):  # noqa: N818 - it is what an event says
    """A volume cannot be had now; the message is what FailedMount events say.

    `step` is what the kubelet was about to do with it, `about` its name where that is not the one in the pod: that of the
    PersistentVolume.
    """

    def __init__(self, message: str, *, step: str = SET_UP, about: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.step = step
        self.about = about

    def event(self, volume: str) -> str:
        """Return the message of the event, about a volume of a pod by its name there."""
        return f'{self.step} for volume "{self.about or volume}" : {self.message}'


class Unprocessed(VolumeProblem):
    """Nothing can be begun with a volume."""

    def event(self, volume: str) -> str:
        """Return the message of the event, about a volume of a pod by its name there."""
        named = f"unmounted volumes=[{volume}], unattached volumes=[], failed to process volumes=[{volume}]"
        return f"Unable to attach or mount volumes: {named}: {self.message}"


class UnresolvedClaim(Unprocessed):
    """It is not known, or not decided yet, which volume a claim stands for."""


class NoPlugin(Unprocessed):
    """This kubelet knows nothing of volumes of that kind; `name` is that of the volume."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'failed to get Plugin from volumeSpec for volume "{name}" err=no volume plugin matched'
        )
