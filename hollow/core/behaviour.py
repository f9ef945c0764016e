"""How a simulated container behaves, as its pod's annotations say.

    hollow.kubarium.dev/<container>.exit-after: 3s        it ends by itself so long after its start; or: never
    hollow.kubarium.dev/<container>.exit-code: "1"        with this code (default 0)
    hollow.kubarium.dev/<container>.oom-after: 2s         it exceeds its memory limit: OOMKilled, 137
    hollow.kubarium.dev/<container>.start-error: no such command   it does not start, and why
    hollow.kubarium.dev/<container>.ignore-term: "true"   SIGTERM has no effect
    hollow.kubarium.dev/<container>.term-after: 1s        it ends so long after SIGTERM (default at once)
    hollow.kubarium.dev/<container>.term-exit-code: "0"   with this code
    hollow.kubarium.dev/<container>.cpu: 100m             what it seems to use (default 1m)
    hollow.kubarium.dev/<container>.memory: 64Mi          (default 4Mi)
    hollow.kubarium.dev/<container>.disk: 64Mi            what it seems to have written (default nothing)

Durations are cluster seconds. Without annotations a container runs until it is stopped and then exits 0; an init
container (the kubelet says which is one; a sidecar is none) has done its work at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from machinery.model.hollow_nodes import SIMULATION
from machinery.model.quantity import cpu_millicores, memory_bytes

PREFIX: Final = SIMULATION
ROLE: Final = "kubarium.dev/container-role"  # of a container, as its kubelet says
INIT: Final = "init"
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a container does. Durations in cluster seconds; None is never."""

    exit_after_s: float | None = None
    exit_code: int = 0
    oom_after_s: float | None = None
    start_error: str = ""
    ignore_term: bool = False
    term_after_s: float = 0.0
    term_exit_code: int = 0
    cpu_millicores: int = 1
    memory_bytes: int = 4 * 1024 * 1024
    disk_bytes: int = 0


_READERS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {}


def read_behaviour(container: str, annotations: Mapping[str, str], *, role: str = "") -> Behaviour:
    """Read what the annotations of a pod say about one of its containers; the role is the container's own.

    Raises:
        ValueError: an annotation of ours is unknown or has a value that does not fit; the text names it.
    """
    prefix = f"{PREFIX}{container}."
    fields: dict[str, object] = {}
    for key, text in annotations.items():
        if key.startswith(prefix):
            name, read = _reader(key, key.removeprefix(prefix))
            try:
                fields[name] = read(text)
            except ValueError as error:
                raise ValueError(f"annotation {key}: {error}") from error
    if role == INIT and "oom_after_s" not in fields:
        fields.setdefault("exit_after_s", 0.0)
    return Behaviour(**fields)  # type: ignore[arg-type] # each reader gives its field's type


def parse_duration_s(text: str) -> float:
    """Read a duration as Go writes it: 3s, 1m30s, 250ms.

    Raises:
        ValueError: the text is no such duration.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 3s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _reader(key: str, name: str) -> tuple[str, Callable[[str], object]]:
    if name not in _READERS:
        raise ValueError(f"annotation {key} is not known; there are {', '.join(sorted(_READERS))}")
    return _READERS[name]


def _parse_end_s(text: str) -> float | None:
    return None if text == "never" else parse_duration_s(text)


def _parse_code(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise ValueError(f"{text!r} is no exit code from 0 to 255")
    return int(text)


def _parse_truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f'{text!r} is neither "true" nor "false"')
    return text == "true"


_READERS.update(
    {
        "exit-after": ("exit_after_s", _parse_end_s),
        "exit-code": ("exit_code", _parse_code),
        "oom-after": ("oom_after_s", parse_duration_s),
        "start-error": ("start_error", str),
        "ignore-term": ("ignore_term", _parse_truth),
        "term-after": ("term_after_s", parse_duration_s),
        "term-exit-code": ("term_exit_code", _parse_code),
        "cpu": ("cpu_millicores", cpu_millicores),
        "memory": ("memory_bytes", memory_bytes),
        "disk": ("disk_bytes", memory_bytes),
    }
)
