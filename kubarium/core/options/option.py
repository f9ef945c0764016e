"""How an option is described, besides its name and its type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args, get_origin, get_type_hints


class Option(NamedTuple):
    """What people are told of an option, and how its value is written."""

    value: str  # what its value is called; "" where it has none, or where there are `choices`
    help: str
    choices: tuple[str, ...] = ()  # () for any value
    flag: str = ""  # "" for the one that follows from its name
    alone: int | None = None  # what the flag means without a value; None: it needs one
    separator: str = ""  # of several values in one; "": the flag is given several times
    kind: type = (
        str  # int, float, str, bool, Sequence (of texts) or Mapping (of texts), as its annotation says
    )


def described(options: type) -> dict[str, Option]:
    """Return the options of a TypedDict by name; one whose annotation describes none is left out."""
    found = {}
    for name, hint in get_type_hints(options, include_extras=True).items():
        kind, *notes = get_args(hint) or (hint,)
        for note in notes:
            if isinstance(note, Option):
                found[name] = note._replace(kind=get_origin(kind) or kind)
    return found


def check_known(given: Iterable[str], options: type) -> None:
    """Check keywords before they become options: type checkers know a TypedDict's, the interpreter does not.

    Raises:
        TypeError: one is not there.
    """
    for name in given:
        if name not in options.__annotations__:
            raise TypeError(f"there is no option {name!r} (there are: {', '.join(options.__annotations__)})")


def flag_of(name: str, option: Option) -> str:
    """Return the flag of an option on the command line."""
    return option.flag or f"--{name.replace('_', '-')}"
