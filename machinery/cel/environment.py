"""What an expression may use: variables with their types, functions by Kubernetes' version, messages that it may make.

Kubernetes adds libraries with its minor versions and keeps them; an environment for an older version refuses what came
later. Environments are immutable and cheap to derive from one another; functions of a version are collected once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from machinery.cel import standard
from machinery.cel.library import (
    authorizers,
    formats,
    lists,
    networks,
    optionals,
    patches,
    quantities,
    regexes,
    sets,
    strings,
    urls,
    versions,
)
from machinery.cel.overloads import Functions, collect
from machinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Kind,
    Type,
    list_of,
    map_of,
    type_of,
)

KUBERNETES: Final = (1, 36)

# The minor version that brought a library.
_LIBRARIES: Final = (
    (0, standard.FUNCTIONS),
    (0, strings.FUNCTIONS),
    (0, urls.FUNCTIONS),
    (0, regexes.FUNCTIONS),
    (0, lists.FUNCTIONS),
    (27, authorizers.FUNCTIONS),
    (28, standard.ACROSS_NUMBERS),
    (28, optionals.FUNCTIONS),
    (28, quantities.FUNCTIONS),
    (29, strings.FUNCTIONS_129),
    (29, sets.FUNCTIONS),
    (30, networks.FUNCTIONS),
    (31, formats.FUNCTIONS),
    (31, authorizers.SELECTORS),
    (32, patches.FUNCTIONS),
    (33, versions.FUNCTIONS),
)
_OPTIONALS_SINCE: Final = 28
_CHECKED_LITERALS_SINCE: Final = 29
_TWO_VARIABLES_SINCE: Final = 32

TYPE_NAMES: Final[Mapping[str, Type]] = {
    "bool": type_of(BOOL),
    "int": type_of(INT),
    "uint": type_of(UINT),
    "double": type_of(DOUBLE),
    "string": type_of(STRING),
    "bytes": type_of(BYTES),
    "list": type_of(list_of(DYN)),
    "map": type_of(map_of(DYN, DYN)),
    "null_type": type_of(NULL),
    "dyn": type_of(DYN),
    "type": type_of(Type(Kind.TYPE)),
    "google.protobuf.Timestamp": type_of(TIMESTAMP),
    "google.protobuf.Duration": type_of(DURATION),
    "optional_type": type_of(Type(Kind.OPTIONAL, parameters=(DYN,))),
    "net.IP": type_of(networks.IP),
    "net.CIDR": type_of(networks.CIDR),
}


@lru_cache(maxsize=16)
def _functions(minor: int) -> Functions:
    return collect(*(library for since, library in _LIBRARIES if since <= minor))


@dataclass(frozen=True, slots=True)
class Environment:
    """What may be used. `messages` are the types of objects that may be made; a name that ends in "." is a prefix.

    A variable whose type is dyn is not checked when its expression is compiled. `has_bindings` says whether an expression
    may name a value by `cel.bind`.
    """

    variables: Mapping[str, Type] = field(default_factory=dict)
    version: tuple[int, int] = KUBERNETES
    messages: Mapping[str, Type] = field(default_factory=dict)
    has_bindings: bool = False

    def extend(self, **variables: Type) -> Environment:
        """Return an environment with more variables."""
        return replace(self, variables={**self.variables, **variables})

    @property
    def functions(self) -> Functions:
        """The functions of the version, by name."""
        return _functions(self.version[1])

    @property
    def has_optionals(self) -> bool:
        """Whether `a.?b`, optMap and the like may be used."""
        return self.version[1] >= _OPTIONALS_SINCE

    @property
    def has_two_variables(self) -> bool:
        """Whether macros may have two variables."""
        return self.version[1] >= _TWO_VARIABLES_SINCE

    @property
    def has_checked_literals(self) -> bool:
        """Whether a literal that is no pattern, duration or timestamp where one is meant is refused beforehand."""
        return self.version[1] >= _CHECKED_LITERALS_SINCE

    def message(self, name: str) -> Type | None:
        """Return the type of messages of a name; None where none may be made."""
        found = self.messages.get(name)
        if found is not None:
            return found
        prefixes = (one for one in self.messages if one.endswith(".") and name.startswith(one))
        return next((Type(Kind.OBJECT, name) for _ in prefixes), None)
