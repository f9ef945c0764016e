"""`python -m kubarium.program NAME [FLAGS]`: one program in this process, from an installation or a checkout."""

from __future__ import annotations

import importlib
import sys

from kubarium.errors import KubariumError
from kubarium.import_path import PROGRAMS, check, put_programs_first

OWN = ("kubarium.publishing",)  # programs that are found where the handle is
PARTS = ("apiserver.checking", "scheduler.simulation")  # of a program, that answer a question and end


def command_of(name: str) -> list[str]:
    """Return the command line of a program, without its flags, for a process of its own.

    With -P, so that the folder in which it is started is not searched for modules.
    """
    return [sys.executable, "-P", "-m", "kubarium.program", name]


def main(argv: list[str]) -> int:
    """Run the program; return its exit code."""
    name, *flags = argv or [""]
    known = (*PROGRAMS, *OWN, *PARTS)
    if name not in known:
        print(f"usage: python -m kubarium.program {{{','.join(known)}}} [FLAGS]", file=sys.stderr)
        return 2
    put_programs_first()
    try:
        check(names=(*{name.partition(".")[0]}.intersection(PROGRAMS), "machinery"))
    except KubariumError as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    code: int = importlib.import_module(f"{name}.__main__").main(flags)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
