"""How full the disk is that the engine keeps its images on, as seen from here."""

from __future__ import annotations

from kubelet.core.eviction.thresholds import Observed, Signal
from kubelet.eviction import NodeSignals
from kubelet.ground import Ground


class ImageDisk:
    """The disk of the images. Where it cannot be seen, thresholds for it have no effect, and the log says so once."""

    def __init__(self, ground: Ground, signals: NodeSignals) -> None:
        self._runtime, self._log, self._situation = ground.runtime, ground.log, ground.situation
        self._signals = signals
        self._is_blind = False

    async def read(self) -> Observed | None:
        """Return how full it is; None where that cannot be seen."""
        signals = self._signals
        if not signals.has_asked:
            signals.learn_image_dir(each.fs_id.mountpoint for each in await self._runtime.image_fs())
        is_blind = signals.image_dir is None and not self._situation.is_simulated()
        if is_blind and not self._is_blind:
            why = "the folder of the images cannot be seen"
            self._log.warning("image_gc_thresholds_without_effect", why=why)
        self._is_blind = is_blind
        return signals.read([Signal.IMAGEFS]).get(Signal.IMAGEFS)
