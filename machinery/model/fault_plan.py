"""Fault plans: which message between which two instances goes wrong, and how. Pure; `PlannedFaults` asks it.

A plan is JSON, and replays from its seed:

    {"seed": 7, "rules": [
      {"fault": "delay", "from": "scheduler", "to": "apiserver", "method": "Create", "delay_s": 0.2},
      {"fault": "cut", "from": "kubelet@*", "protocol": "cri"},
      {"fault": "drop", "method": "Watch", "probability": 0.1, "count": 3, "at": "server"}]}

`from`, `to`, `protocol` and `method` are shell patterns (default: everything); "Create" is about CreateEach, too. A rule applies to a call with its
probability, after `skip` matching calls, at most `count` times (0: no limit); the first rule that applies
decides. `at` says which end of the connection acts: the client (default) or the server.

What each fault does, on every conversation alike:

    fault       a call                                        a stream
    drop        is never sent: see below                      is never opened: see below
    drop_reply  is carried out, its good answer is lost       is opened, and lost at its first item
    delay       is sent delay_s later                         is opened delay_s later
    duplicate   is sent twice; the first answer counts        nothing
    cut         is never sent: silence until the plan no      stays silent until then, and breaks (Unavailable),
                longer says so, then Unavailable              also where it had nothing to say meanwhile
    expired     410 Expired, as after a compaction            the same

What is dropped or lost is Unavailable after delay_s, which is how a broken connection looks; without delay_s it is
silence, as with a frozen peer, until the caller's deadline makes it DeadlineExceeded. A cut lasts as long as its rule,
whatever its count (which bounds the calls that begin in it). All seconds are wall seconds.

A rule is known by what it says: in a plan that replaces another of the same seed, the rules that both have go on
with their counts. Not built, and refused when the plan is read: stale (old answers from the cache).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from machinery.model.seam import Ends

_OF_SEVERAL: Final = (
    "Each"  # ends the name of a method that does for several objects what another does for one
)


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
class Rule:
    """One line of a plan."""

    fault: Fault
    caller: str = "*"
    callee: str = "*"
    protocol: str = "*"
    method: str = "*"
    side: str = "client"
    probability: float = 1.0
    skip: int = 0
    count: int = 0  # 0: no limit
    delay_s: float = 0.0  # wall seconds; 0 with drop: silence until the deadline

    def covers(self, ends: Ends, method: str) -> bool:
        """Whether the rule is about such a call."""
        return (
            self.side == ends.side
            and fnmatchcase(ends.caller, self.caller)
            and fnmatchcase(ends.callee, self.callee)
            and fnmatchcase(ends.protocol, self.protocol)
            and (
                fnmatchcase(method, self.method) or fnmatchcase(method.removesuffix(_OF_SEVERAL), self.method)
            )
        )


class RuleKey(NamedTuple):
    """What a rule is known by: what it says, and how many equal ones stand before it."""

    rule: Rule
    occurrence: int


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules in order of precedence, and the seed that their probabilities are drawn from."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    def keyed(self) -> Iterator[RuleKey]:
        """Yield the rules in their order, each with what it is known by."""
        met: dict[Rule, int] = {}
        for rule in self.rules:
            met[rule] = met.get(rule, -1) + 1
            yield RuleKey(rule, met[rule])


class Tally(NamedTuple):
    """How often a rule has met a matching call, and how often it has been applied."""

    seen: int = 0
    applied: int = 0


Tallies = Mapping[RuleKey, Tally]
NO_PLAN: Final = FaultPlan()


def decide(plan: FaultPlan, tallies: Tallies, ends: Ends, method: str) -> tuple[Rule | None, Tallies]:
    """Return the rule that applies to a call, if any, and the tallies after it.

    Equal calls in equal order have equal answers under a plan.
    """
    after = dict(tallies)
    for key in plan.keyed():
        if not key.rule.covers(ends, method):
            continue
        tally = after.get(key, Tally())
        applies = _applies(plan.seed, key, tally)
        after[key] = Tally(tally.seen + 1, tally.applied + applies)
        if applies:
            return key.rule, after
    return None, after


def carry_over(tallies: Tallies, before: FaultPlan, plan: FaultPlan) -> Tallies:
    """Return the tallies that a plan begins with in place of another: those of the rules that both have."""
    if plan.seed != before.seed:
        return {}
    return {key: tallies[key] for key in plan.keyed() if key in tallies}


def is_cut(plan: FaultPlan, ends: Ends, method: str) -> bool:
    """Whether a rule cuts this connection, whatever its count: a cut lasts as long as its rule."""
    return any(rule.fault is Fault.CUT and rule.covers(ends, method) for rule in plan.rules)


def _applies(seed: int, key: RuleKey, tally: Tally) -> bool:
    rule = key.rule
    if tally.seen < rule.skip or (rule.count and tally.applied >= rule.count):
        return False
    return rule.probability >= 1 or _draw(seed, key, tally.seen) < rule.probability


def _draw(seed: int, key: RuleKey, number: int) -> float:
    """Return the number in [0, 1) that belongs to the n-th matching call of a rule."""
    said = repr((to_dict(key.rule), key.occurrence))
    digest = blake2b(f"{seed}/{said}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


_FIELDS: Final[dict[str, tuple[str, type | tuple[type, ...]]]] = {  # JSON field → Rule field, accepted types
    "from": ("caller", str),
    "to": ("callee", str),
    "protocol": ("protocol", str),
    "method": ("method", str),
    "at": ("side", str),
    "probability": ("probability", (int, float)),
    "skip": ("skip", int),
    "count": ("count", int),
    "delay_s": ("delay_s", (int, float)),
}


def to_dict(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON, without what is the default."""
    fields = {key: getattr(rule, name) for key, (name, _) in _FIELDS.items()}
    plain = Rule(rule.fault)
    return {
        "fault": rule.fault.value,
        **{key: value for key, value in fields.items() if value != getattr(plain, _FIELDS[key][0])},
    }


def parse_plan(data: bytes) -> FaultPlan:
    """Read a plan; empty data is a plan without rules.

    Raises:
        PlanError: the text names the field that does not fit.
    """
    try:
        plan = msgspec.json.decode(data) if data.strip() else {}
    except msgspec.DecodeError as error:
        raise PlanError(f"the plan is not JSON: {error}") from error
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
