"""What every RPC works with."""

from __future__ import annotations

from dataclasses import dataclass

from dockershim.catalogue import Catalogue
from dockershim.core.images import ImageNames
from dockershim.creations import Creations
from dockershim.docker import Engine
from dockershim.events import Events
from dockershim.exec_process import Commands
from dockershim.host import HostFacts
from dockershim.image_volumes import ImageVolumes
from dockershim.locks import Locks
from dockershim.logs import Logs
from dockershim.network import Network
from dockershim.notes import Notes
from dockershim.private_images import PrivateImages
from dockershim.pulled_images import PulledImages
from dockershim.statistics import Statistics
from dockershim.streaming import Streaming
from dockershim.writable_layers import WritableLayers
from machinery.model.clock import Clock
from machinery.model.log import EventLog


@dataclass(frozen=True, slots=True)
class Shim:
    """The parts of a running dockershim."""

    engine: Engine
    catalogue: Catalogue
    host: HostFacts
    network: Network
    logs: Logs
    notes: Notes  # per container: whether its log is complete, when its start failed
    creations: Creations
    commands: Commands
    events: Events
    streaming: Streaming
    statistics: Statistics
    layers: WritableLayers
    image_names: dict[str, ImageNames]  # by image id
    private_images: PrivateImages
    pulled_images: PulledImages
    image_volumes: ImageVolumes
    locks: Locks
    cdi_dirs: tuple[str, ...]
    clock: Clock
    log: EventLog
