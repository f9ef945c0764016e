"""What a node has to have left, and whether it has.

As KubeletConfiguration says it: evictionHard, evictionSoft with evictionSoftGracePeriod, evictionMinimumReclaim.
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-thresholds
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Final

from machinery.model import quantity
from machinery.model.go_numbers import parse_duration


class Signal(Enum):
    """What is watched; the values are KubeletConfiguration's words."""

    MEMORY = "memory.available"
    NODEFS = "nodefs.available"
    NODEFS_INODES = "nodefs.inodesFree"
    IMAGEFS = "imagefs.available"
    IMAGEFS_INODES = "imagefs.inodesFree"
    PIDS = "pid.available"


OF_DISKS: Final = (Signal.NODEFS, Signal.NODEFS_INODES, Signal.IMAGEFS, Signal.IMAGEFS_INODES)
CONDITIONS: Final[Mapping[Signal, str]] = {
    Signal.MEMORY: "MemoryPressure",
    **dict.fromkeys(OF_DISKS, "DiskPressure"),
    Signal.PIDS: "PIDPressure",
}
RESOURCES: Final[Mapping[Signal, str]] = {  # what messages call the thing that is short
    Signal.MEMORY: "memory",
    Signal.NODEFS: "ephemeral-storage",
    Signal.IMAGEFS: "ephemeral-storage",
    Signal.NODEFS_INODES: "inodes",
    Signal.IMAGEFS_INODES: "inodes",
    Signal.PIDS: "pids",
}
DEFAULT_HARD: Final = (
    "memory.available<100Mi",
    "nodefs.available<10%",
    "nodefs.inodesFree<5%",
    "imagefs.available<15%",
    "imagefs.inodesFree<5%",
)
_NONE: Final = ("0%", "100%")  # a threshold of these is switched off, as in Kubernetes


@dataclass(frozen=True, slots=True)
class Amount:
    """So much, or such a share of the capacity."""

    units: int = 0  # bytes, inodes, processes
    share: Fraction | None = None

    def of(self, capacity: int) -> int:
        """Return the amount of something that is so large."""
        return self.units if self.share is None else int(self.share * capacity)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Less than `least` of something is too little."""

    signal: Signal
    least: Amount
    grace_s: float | None = (
        None  # for how long it may be less, cluster seconds; None: not at all (a hard one)
    )
    reclaim: Amount = Amount()  # so much more than `least` has to be there until it counts as resolved


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there of something."""

    available: int
    capacity: int


Observations = Mapping[Signal, Observed]  # what nobody can tell is left out


def read_thresholds(
    hard: Iterable[str],
    soft: Iterable[str] = (),
    soft_grace: Iterable[str] = (),
    reclaim: Iterable[str] = (),
) -> tuple[Threshold, ...]:
    """Read what flags say: `memory.available<100Mi`, `memory.available=1m30s`, `memory.available=0Mi`.

    Raises:
        ValueError: one cannot be read, is there twice, or a soft threshold has no grace period.
    """
    graces = {signal: _read_grace_s(text) for signal, text in _pairs(soft_grace, "=").items()}
    more = {signal: _read_amount(signal, text) for signal, text in _pairs(reclaim, "=").items()}
    found = _read_statements(hard)
    for each in _read_statements(soft):
        if each.signal not in graces:
            raise ValueError(
                f"grace period must be specified for the soft eviction threshold {each.signal.value}"
            )
        found.append(replace(each, grace_s=graces[each.signal]))
    return tuple(replace(each, reclaim=more.get(each.signal, Amount())) for each in found)


def met(
    thresholds: Iterable[Threshold], observations: Observations, *, with_reclaim: bool = False
) -> tuple[Threshold, ...]:
    """Return the thresholds below which the node is; `with_reclaim`: or which are not resolved yet."""
    return tuple(each for each in thresholds if _is_met(each, observations, with_reclaim=with_reclaim))


def least_of(threshold: Threshold, observed: Observed) -> int:
    """Return the amount below which a threshold is met."""
    return threshold.least.of(observed.capacity)


def _is_met(threshold: Threshold, observations: Observations, *, with_reclaim: bool) -> bool:
    observed = observations.get(threshold.signal)
    if observed is None:
        return False
    wanted = least_of(threshold, observed)
    if with_reclaim:
        wanted += threshold.reclaim.of(observed.capacity)
    return observed.available < wanted


def _read_statements(statements: Iterable[str]) -> list[Threshold]:
    return [
        Threshold(signal, _read_amount(signal, text))
        for signal, text in _pairs(statements, "<").items()
        if text not in _NONE
    ]


def _pairs(statements: Iterable[str], sign: str) -> dict[Signal, str]:
    found: dict[Signal, str] = {}
    for statement in statements:
        name, between, text = (part.strip() for part in statement.partition(sign))
        if not between or not text:
            raise ValueError(f"{statement!r} is not <signal>{sign}<value>")
        try:
            signal = Signal(name)
        except ValueError as error:
            known = ", ".join(each.value for each in Signal)
            raise ValueError(f"unsupported eviction signal {name}: there are {known}") from error
        if signal in found:
            raise ValueError(f"found duplicate eviction threshold for signal {name}")
        found[signal] = text
    return found


def _read_amount(signal: Signal, text: str) -> Amount:
    try:
        amount = Fraction(text[:-1]) / 100 if text.endswith("%") else quantity.parse(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{signal.value}: {text!r} is neither a quantity nor a percentage") from error
    if amount < 0:
        raise ValueError(f"{signal.value}: an amount may not be below 0, not {text}")
    return Amount(share=amount) if text.endswith("%") else Amount(units=int(amount))


def _read_grace_s(text: str) -> float:
    grace_s = parse_duration(text)
    if grace_s < 0:
        raise ValueError(f"a grace period may not be below 0, not {text}")
    return grace_s
