"""PriorityLevelConfigurations: how many requests of a level run at once, and how the others wait.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#prioritylevelconfiguration
"""

from __future__ import annotations

import math
from typing import Final

from apiserver.core import field_errors
from apiserver.core.flow_rules import CATCH_ALL, EXEMPT, MANDATORY_LEVELS, status_causes
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, with_empty_status, with_old_status
from apiserver.core.table import flow as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_TYPES: Final = frozenset({"Exempt", "Limited"})
_RESPONSES: Final = frozenset({"Queue", "Reject"})
_SHARES: Final = 30
_QUEUES: Final = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_MOST_QUEUES: Final = 10_000_000
_MOST_BITS: Final = 60  # of a hash, by which a hand of queues is dealt


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    if own.get("type") == "Exempt":
        exempt = own.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
    if "limited" in own:
        limited = own["limited"]
        limited.setdefault("nominalConcurrencyShares", _SHARES)
        limited.setdefault("lendablePercent", 0)
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            for name, number in _QUEUES.items():
                queuing[name] = queuing.get(name) or number
    return obj


def _validate(obj: Json) -> list[Cause]:
    own, name = spec(obj), obj["metadata"].get("name", "")
    type_ = own.get("type", "")
    found: list[Cause] = []
    if (name == EXEMPT) != (type_ == "Exempt"):
        text = "type must be 'Exempt' if and only if name is 'exempt'"
        found.append(field_errors.invalid("spec.type", type_, text))
    found += field_errors.one_of("spec.type", type_, _TYPES)
    if type_ == "Exempt":
        found += _exempt_causes(own)
    if type_ == "Limited":
        found += _limited_causes(own)
    return found + _mandatory_causes(own, name)


def _mandatory_causes(own: Json, name: str) -> list[Cause]:
    if name == EXEMPT and {**own, "exempt": None} != {**MANDATORY_LEVELS[EXEMPT], "exempt": None}:
        text = "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value"
        return [field_errors.invalid("spec", own, text)]
    if name == CATCH_ALL and own != MANDATORY_LEVELS[CATCH_ALL]:
        text = "spec of 'catch-all' must equal the fixed value"
        return [field_errors.invalid("spec", own, text)]
    return []


def _exempt_causes(own: Json) -> list[Cause]:
    found: list[Cause] = []
    if "limited" in own:
        text = "must be nil if the type is not Limited"
        found.append(field_errors.forbidden("spec.limited", text))
    return found + _share_causes(own["exempt"], "spec.exempt")


def _limited_causes(own: Json) -> list[Cause]:
    found: list[Cause] = []
    if "exempt" in own:
        text = "must be nil if the type is Limited"
        found.append(field_errors.forbidden("spec.exempt", text))
    if "limited" not in own:
        text = "must not be empty when type is Limited"
        return [*found, field_errors.required("spec.limited", text)]
    limited, path = own["limited"], "spec.limited"
    found += _share_causes(limited, path)
    if (borrowed := limited.get("borrowingLimitPercent", 0)) < 0:
        text = "if specified, must be a non-negative integer"
        found.append(field_errors.invalid(f"{path}.borrowingLimitPercent", borrowed, text))
    return found + _response_causes(limited.get("limitResponse") or {}, f"{path}.limitResponse")


def _share_causes(level: Json, path: str) -> list[Cause]:
    shares, lent = level["nominalConcurrencyShares"], level["lendablePercent"]
    found: list[Cause] = []
    if shares < 0:
        text = "must be a non-negative integer"
        found.append(field_errors.invalid(f"{path}.nominalConcurrencyShares", shares, text))
    return found + field_errors.within(f"{path}.lendablePercent", lent, 0, 100)


def _response_causes(response: Json, path: str) -> list[Cause]:
    type_, queuing = response.get("type", ""), response.get("queuing")
    if type_ not in _RESPONSES:
        return [field_errors.not_supported(f"{path}.type", type_, _RESPONSES)]
    if type_ == "Reject":
        text = "must be nil if limited.limitResponse.type is not Limited"
        return [] if queuing is None else [field_errors.forbidden(f"{path}.queuing", text)]
    if queuing is None:
        text = "must not be empty if limited.limitResponse.type is Limited"
        return [field_errors.required(f"{path}.queuing", text)]
    return _queuing_causes(queuing, f"{path}.queuing")


def _queuing_causes(queuing: Json, path: str) -> list[Cause]:
    queues, hand, length = (queuing[name] for name in ("queues", "handSize", "queueLengthLimit"))
    found: list[Cause] = []
    if length <= 0:
        found.append(field_errors.invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        found.append(field_errors.invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        text = f"must not be greater than {_MOST_QUEUES}"
        found.append(field_errors.invalid(f"{path}.queues", queues, text))
    if hand <= 0:
        found.append(field_errors.invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        text = f"should not be greater than queues ({queues})"
        found.append(field_errors.invalid(f"{path}.handSize", hand, text))
    elif _entropy_bits(queues, hand) > _MOST_BITS:
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MOST_BITS}"
        found.append(field_errors.invalid(f"{path}.handSize", hand, text))
    return found


def _entropy_bits(queues: int, hand: int) -> int:
    """Return how many bits it takes to deal a hand of queues (shuffle sharding)."""
    bits = 0.0
    for dealt in range(hand):
        bits += math.log2(queues - dealt)
        if bits > _MOST_BITS:
            break
    return math.ceil(bits)


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=with_empty_status, update=with_old_status),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new), status=status_causes),
    counts_generation=True,
    status_keeps=OWN_METADATA,
    table=table.PRIORITY_LEVEL_CONFIGURATIONS,
)
