"""Files of environment variables: the part of a shell's language that Kubernetes has in them.

https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/#env-file-syntax
A value stands in single quotes, and is what stands there, line breaks included. Blank lines and lines that begin with # say
nothing. Whatever else a shell would take is refused. Fed by `kubelet.env_files`.
"""

from __future__ import annotations

import re
from typing import Final

_NOTHING: Final = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_VARIABLE: Final = re.compile(r"[ \t]*([!-<>-~]+)[ \t]*=[ \t]*'([^'\0]*)'[ \t]*\r?(?:\n|\Z)")


def parse_env_file(text: str) -> dict[str, str]:
    """Return the variables of a file; of those that are set twice, the last value, as in a shell.

    Raises:
        ValueError: a line is none of such a file; the message has its number.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if nothing := _NOTHING.match(text, at):
            at = nothing.end()
            continue
        variable = _VARIABLE.match(text, at)
        if variable is None:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"line {line}: want NAME='value', in single quotes and with nothing behind it")
        found[variable[1]] = variable[2]
        at = variable.end()
    return found
