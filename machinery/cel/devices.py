"""The variable of expressions that select devices: `device`, with what a driver says of one.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#deviceclass
Attributes and capacities are maps of maps: by the domain of their names, then by the rest. An attribute may be of any
type; all of it is bounded, so that the cost of an expression is known beforehand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from machinery.cel.environment import Environment
from machinery.cel.library.quantities import QUANTITY
from machinery.cel.types import BOOL, DYN, STRING, Field, Kind, Type

_LONGEST_DOMAIN: Final = 63
_LONGEST_ID: Final = 32
_LONGEST_VALUE: Final = 64
_MOST_VALUES: Final = 32

_DOMAIN: Final = replace(STRING, max_elements=_LONGEST_DOMAIN)
_ID: Final = replace(STRING, max_elements=_LONGEST_ID)


def _by_name(value: Type) -> Type:
    inner = Type(Kind.MAP, parameters=(_ID, value), max_elements=_MOST_VALUES)
    return Type(Kind.MAP, parameters=(_DOMAIN, inner), max_elements=_MOST_VALUES)


_DEVICE: Final = {
    "driver": _DOMAIN,
    "attributes": _by_name(replace(DYN, max_elements=_LONGEST_VALUE)),
    "capacity": _by_name(QUANTITY),
    "allowMultipleAllocations": BOOL,
}

DEVICES: Final = Environment(
    {
        "device": Type(
            Kind.OBJECT,
            "kubernetes.DRADevice",
            fields={name: Field(name, one) for name, one in _DEVICE.items()},
            closed=True,
        )
    },
    has_bindings=True,
)
"""What an expression about a device may use; `cel.bind` names the attributes of a domain."""

MOST_COST: Final = 1_000_000  # of one expression, at most, as in Kubernetes
