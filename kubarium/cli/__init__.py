"""`kubarium` on the command line: reads arguments, calls the library, prints for people.

This module turns what goes wrong into an exit code; `grammar` describes the command line; `commands` has a function for
each command; `tables` and `words` lay out what they print.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubarium import homes
from kubarium.cli.commands.completing import complete
from kubarium.cli.grammar import parser
from kubarium.errors import KubariumError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 could not be done, 2 wrong usage."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["__complete"]:
        return complete(parser(), words[1:])
    options = parser().parse_args(words)
    options.given_name = options.name
    if not getattr(options, "file", None):  # which may name one
        options.name = options.name or homes.current_name()
    try:
        code: int = options.run(options)
    except KubariumError as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return code
