"""What the hollow runtime knows of sandboxes and containers, and the folder that outlives it.

One file per kind, a line for each version of a record: the last whole line holds. So a kill at any instruction leaves each
record as it was or as it is to be, and neither a change nor a new record costs a new file, which is dear on many file
systems. Configurations are kept as CRI messages, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

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
    more_ips: tuple[str, ...] = ()  # of another family
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

    pod_cidr: str = ""  # one of each family, with a comma
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


_LONGEST: Final = 64 * 1024  # bytes of a file before what is over is left out of it ...
_GROWTH: Final = 4  # ... and how many times as long as what was not over then

R = TypeVar("R", SandboxRecord, ContainerRecord, NodeRecord)


class _Line(msgspec.Struct, Generic[R], frozen=True, omit_defaults=True):
    name: str
    record: R | None = None  # None: it was removed


class RecordFile(Generic[R]):
    """Keeps records of one kind in a file of JSON lines; without a folder it keeps nothing."""

    def __init__(self, state_dir: str, kind: str, current: Callable[[], Mapping[str, R]]) -> None:
        """`current` returns the records that there are, by name, the change that is being written included."""
        self._path = Path(state_dir) / f"{kind}.jsonl" if state_dir else None
        self._current: Callable[[], Mapping[str, R]] = current
        self._limit = _LONGEST
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self, type_: type[R]) -> list[R]:
        """Read every record, the oldest first; one whose first version was never written whole is not there."""
        found: dict[str, R] = {}
        decoder: msgspec.json.Decoder[_Line[R]] = msgspec.json.Decoder(_line_of(type_))
        lines = self._path.read_bytes().splitlines() if self._path and self._path.exists() else ()
        for text in filter(None, lines):
            with suppress(msgspec.DecodeError):  # it was cut off
                line = decoder.decode(text)
                if line.record is None:
                    found.pop(line.name, None)
                else:
                    found[line.name] = line.record
        return list(found.values())

    def save(self, name: str, record: R) -> None:
        """Write a version of a record."""
        self._append(_Line(name, record))

    def remove(self, name: str) -> None:
        """Forget a record."""
        self._append(_Line(name))

    def _append(self, line: _Line[R]) -> None:
        if self._path:
            with self._path.open("ab", buffering=0) as file:
                file.write(
                    b"\n" + _ENCODER.encode(line) + b"\n"
                )  # the first newline ends a line that was cut off
                is_long = file.tell() > self._limit
            if is_long:
                self._shorten(self._path)

    def _shorten(self, path: Path) -> None:
        """Write the file anew with what there is; whoever is killed meanwhile leaves the one before."""
        draft = path.with_suffix(".draft")
        lines = (_ENCODER.encode(_Line(name, record)) + b"\n" for name, record in self._current().items())
        with draft.open("wb") as file:
            file.writelines(lines)
            self._limit = max(_LONGEST, _GROWTH * file.tell())
        draft.replace(path)


_ENCODER: Final = msgspec.json.Encoder()


def _line_of(type_: type[R]) -> Any:
    return _Line[type_]  # type: ignore[valid-type]  # the class that `type_` is, at run time
