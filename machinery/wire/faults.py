"""Fault plans: which message between which two components goes wrong, and how. Pure; the seams ask it.

A plan is JSON, and replays from its seed:

    {"seed": 7, "rules": [
      {"fault": "delay", "from": "scheduler", "to": "apiserver", "method": "Create", "delay_s": 0.2},
      {"fault": "cut", "from": "kubelet-*", "to": "apiserver"},
      {"fault": "drop", "method": "Watch", "probability": 0.1, "count": 3, "at": "server"}]}

`from`, `to` and `method` are shell patterns (default: everything). A rule applies to a call with its
probability, after `skip` matching calls, at most `count` times (0: no limit); the first rule that applies
decides. `at` says which end of the connection acts: the client (default) or the server. Faults:

    drop         the request never arrives: Unavailable after delay_s, or silence until the deadline
    drop_reply   the request is carried out, its answer is lost, as with drop
    delay        the request arrives delay_s later
    duplicate    the request arrives twice; the first answer counts (unary calls)
    cut          half-open: calls and running streams stay silent, until the plan no longer says so; then
                 the streams break
    expired      410 Expired, as after a compaction

All seconds are wall seconds. Not built, and refused when the plan is read: stale (old answers from the cache).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Final, Literal, Protocol

import msgspec


class Fault(Enum):
    """What goes wrong."""

    DROP = "drop"
    DROP_REPLY = "drop_reply"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    CUT = "cut"
    EXPIRED = "expired"


class PlanError(ValueError):
    """A plan does not fit; the text names the field."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a seam sees it."""

    caller: str
    callee: str
    method: str  # the last part of the gRPC path: "Watch"
    side: Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a plan."""

    fault: Fault
    caller: str = "*"
    callee: str = "*"
    method: str = "*"
    side: str = "client"
    probability: float = 1.0
    skip: int = 0
    count: int = 0  # 0: no limit
    delay_s: float = 0.0  # wall seconds; 0 with drop: silence until the deadline

    def covers(self, call: Call) -> bool:
        """Tell whether the rule is about such a call."""
        return (
            self.side == call.side
            and fnmatchcase(call.caller, self.caller)
            and fnmatchcase(call.callee, self.callee)
            and fnmatchcase(call.method, self.method)
        )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules in order of precedence, and the seed that their probabilities are drawn from."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a rule has seen a matching call, and how often it has been applied."""

    seen: int = 0
    applied: int = 0


NO_PLAN: Final = FaultPlan()


class FaultGate(Protocol):
    """What the seams ask: once for each call, and for each message of a running stream."""

    def decide(self, call: Call) -> Rule | None:
        """Give the rule that this call falls under, and count it; None: all is well."""
        ...

    def is_cut(self, call: Call) -> bool:
        """Tell whether the connection is cut now, without counting anything."""
        ...


def decide(plan: FaultPlan, tallies: Mapping[int, Tally], call: Call) -> tuple[Rule | None, dict[int, Tally]]:
    """Give the rule that applies to a call, if any, and the tallies after it.

    Equal calls in equal order give equal answers for a plan.
    """
    after = dict(tallies)
    for index, rule in enumerate(plan.rules):
        if not rule.covers(call):
            continue
        tally = after.get(index, Tally())
        applies = _applies(plan, index, rule, tally)
        after[index] = Tally(tally.seen + 1, tally.applied + applies)
        if applies:
            return rule, after
    return None, after


def is_cut(plan: FaultPlan, call: Call) -> bool:
    """Tell whether a rule cuts this connection, whatever its count: a cut lasts as long as its rule."""
    return any(rule.fault is Fault.CUT and rule.covers(call) for rule in plan.rules)


def _applies(plan: FaultPlan, index: int, rule: Rule, tally: Tally) -> bool:
    if tally.seen < rule.skip or (rule.count and tally.applied >= rule.count):
        return False
    return rule.probability >= 1 or _draw(plan.seed, index, tally.seen) < rule.probability


def _draw(seed: int, index: int, number: int) -> float:
    """Give the number in [0, 1) that belongs to the n-th matching call of a rule."""
    digest = blake2b(f"{seed}/{index}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


_FIELDS: Final[dict[str, tuple[str, type | tuple[type, ...]]]] = {  # JSON field → Rule field, accepted types
    "from": ("caller", str),
    "to": ("callee", str),
    "method": ("method", str),
    "at": ("side", str),
    "probability": ("probability", (int, float)),
    "skip": ("skip", int),
    "count": ("count", int),
    "delay_s": ("delay_s", (int, float)),
}


def parse_plan(data: bytes) -> FaultPlan:
    """Read a plan.

    Raises:
        PlanError: the text names the field that does not fit.
    """
    try:
        plan = msgspec.json.decode(data) if data.strip() else {}
    except msgspec.DecodeError as error:
        raise PlanError(f"the plan is no JSON: {error}") from error
    if not isinstance(plan, dict):
        raise PlanError("the plan has to be an object with `seed` and `rules`")
    _refuse_unknown(plan, {"seed", "rules"}, "")
    rules, seed = plan.get("rules", []), plan.get("seed", 0)
    if not isinstance(rules, list):
        raise PlanError("rules: has to be a list")
    if not _is(seed, int):
        raise PlanError(f"seed: has to be a whole number, not {seed!r}")
    return FaultPlan(tuple(_rule(rule, f"rules[{index}]") for index, rule in enumerate(rules)), seed)


def _rule(data: Any, where: str) -> Rule:
    if not isinstance(data, dict):
        raise PlanError(f"{where}: has to be an object")
    _refuse_unknown(data, {"fault", *_FIELDS}, f"{where}.")
    fields = {_FIELDS[key][0]: _typed(value, key, where) for key, value in data.items() if key != "fault"}
    rule = Rule(_fault(data.get("fault"), where), **fields)
    _check_ranges(rule, where)
    return rule


def _fault(name: Any, where: str) -> Fault:
    if name == "stale":
        raise PlanError(f"{where}.fault: stale is not built")
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(fault.value for fault in Fault)
        raise PlanError(f"{where}.fault: has to be one of {known}, not {name!r}") from None


def _typed(value: Any, key: str, where: str) -> Any:
    _, kinds = _FIELDS[key]
    if not _is(value, kinds):
        word = "a text" if kinds is str else "a whole number" if kinds is int else "a number"
        raise PlanError(f"{where}.{key}: has to be {word}, not {value!r}")
    return value


def _is(value: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _check_ranges(rule: Rule, where: str) -> None:
    if rule.side not in {"client", "server"}:
        raise PlanError(f"{where}.at: has to be client or server, not {rule.side!r}")
    if not 0 <= rule.probability <= 1:
        raise PlanError(f"{where}.probability: has to be between 0 and 1, not {rule.probability}")
    for name in ("skip", "count", "delay_s"):
        if getattr(rule, name) < 0:
            raise PlanError(f"{where}.{name}: may not be below 0")
    if rule.fault is Fault.DELAY and not rule.delay_s:
        raise PlanError(f"{where}.delay_s: a delay needs it")


def _refuse_unknown(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise PlanError(f"{where}{key}: there is no such field (there are {', '.join(sorted(known))})")
