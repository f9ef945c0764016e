"""What the hollow runtime knows of sandboxes and containers, and the folder that outlives it.

One small file per record, a line for each of its versions: the last whole line holds. So a kill at any instruction
leaves each record as it was or as it is to be, and a change costs no new file. Configurations are kept as CRI
messages, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from hollow.core.behaviour import ROLE, Behaviour, read_behaviour
from hollow.core.lifetime import End, Lifetime, State, observe, plan_end
from machinery.pb import cri_pb2 as cri


class SandboxRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pod sandbox. Times in cluster seconds."""

    id: str
    config: bytes  # runtime.v1.PodSandboxConfig
    runtime_handler: str
    created_s: float
    ip: str = ""
    stopped_s: float | None = None


class ContainerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A container. Times in cluster seconds."""

    id: str
    sandbox_id: str
    config: bytes  # runtime.v1.ContainerConfig
    annotations: dict[str, str]  # the pod's, which say how it behaves
    created_s: float
    started_s: float | None = None
    term_s: float | None = None
    kill_s: float | None = None


class NodeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the runtime was told, and the images that were pulled, with the time of the pull."""

    pod_cidr: str = ""
    images: dict[str, float] = {}
    boot_id: str = ""  # of the machine that the containers ran on


class Sandbox:
    """A record with its configuration read."""

    def __init__(self, record: SandboxRecord) -> None:
        self.record = record
        self.config: Any = cri.PodSandboxConfig.FromString(record.config)

    @property
    def id(self) -> str:
        """The sandbox's id."""
        return self.record.id

    @property
    def is_ready(self) -> bool:
        """Whether nobody has stopped it."""
        return self.record.stopped_s is None


class Container:
    """A record with its configuration and behaviour read."""

    def __init__(self, record: ContainerRecord) -> None:
        self.record = record
        self.config: Any = cri.ContainerConfig.FromString(record.config)
        self.behaviour: Behaviour = read_behaviour(
            self.config.metadata.name, record.annotations, role=self.config.annotations.get(ROLE, "")
        )
        self.end_announced = False

    @property
    def id(self) -> str:
        """The container's id."""
        return self.record.id

    @property
    def end(self) -> End | None:
        """The end that it is heading for, or had."""
        return plan_end(self._lifetime, self.behaviour)

    def state(self, now_s: float) -> State:
        """Return its state at a time."""
        return observe(self._lifetime, self.behaviour, now_s)

    @property
    def _lifetime(self) -> Lifetime:
        record = self.record
        return Lifetime(record.created_s, record.started_s, record.term_s, record.kill_s)


_LONGEST: Final = 64 * 1024  # bytes of all versions of a record that are kept before only the last one is

R = TypeVar("R", SandboxRecord, ContainerRecord, NodeRecord)


class RecordFolder:
    """Keeps records of one kind as files of JSON lines; without a folder it keeps nothing."""

    def __init__(self, state_dir: str, kind: str) -> None:
        self._folder = Path(state_dir) / kind if state_dir else None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self, type_: type[R]) -> Iterable[R]:
        """Read every record; one whose first version was never written whole is not there."""
        paths = self._folder.glob("*.json") if self._folder else ()
        found = [_last(path.read_bytes(), type_) for path in sorted(paths)]
        return [record for record in found if record is not None]

    def save(self, name: str, record: SandboxRecord | ContainerRecord | NodeRecord) -> None:
        """Write a version of a record."""
        if self._folder:
            line = msgspec.json.encode(record)
            path = self._folder / f"{name}.json"
            with path.open("ab", buffering=0) as file:
                file.write(b"\n" + line + b"\n")  # the first newline ends a line that a full disk cut off
                is_long = file.tell() > _LONGEST
            if is_long:
                draft = self._folder / f"{name}.draft"
                draft.write_bytes(line + b"\n")
                draft.replace(path)

    def remove(self, name: str) -> None:
        """Forget a record."""
        if self._folder:
            (self._folder / f"{name}.json").unlink(missing_ok=True)


def _last(lines: bytes, type_: type[R]) -> R | None:
    whole = lines.splitlines(keepends=True)
    for line in reversed(whole):
        with suppress(msgspec.DecodeError):
            if line.endswith(b"\n") and line.strip():
                return msgspec.json.decode(line, type=type_)
    return None
