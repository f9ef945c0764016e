"""The queries of a kubelet's pages about containers, as Kubernetes' kubelet has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from machinery.model.errors import BadRequest
from machinery.wire.node import messages as pb

_NUMBERS = {"tailLines": "tail_lines", "sinceSeconds": "since_seconds", "limitBytes": "limit_bytes"}
_TRUE, _FALSE = frozenset({"1", "true", "True", "TRUE", "t", "T"}), frozenset({"", "0", "false", "False"})


def log_request(container: Any, query: str) -> Any:
    """Return the request for a log that a query of /containerLogs is.

    Raises:
        BadRequest: a value is none; the message names it.
    """
    asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    numbers: dict[str, Any] = {
        field: _number(name, asked[name])
        for name, field in _NUMBERS.items()
        if name in asked and not (name == "tailLines" and asked[name] == "all")
    }
    return pb.LogsRequest(
        container=container,
        follow=_truth("follow", asked.get("follow", "")),
        previous=_truth("previous", asked.get("previous", "")),
        timestamps=_truth("timestamps", asked.get("timestamps", "")),
        since_time=asked.get("sinceTime", ""),
        **numbers,
    )


def command_of(query: str) -> list[str]:
    """Return the command of a query of /run: words with blanks between them.

    Raises:
        BadRequest: there is none.
    """
    words = " ".join(parse_qs(query).get("cmd", [])).split(" ")
    if not words[0]:
        raise BadRequest("you must specify a command to run: ?cmd=…")
    return words


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise BadRequest(f"{name} has to be a number, 0 or more, not {text[:64]!r}")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text in _TRUE:
        return True
    if text not in _FALSE:
        raise BadRequest(f"{name} has to be true or false, not {text[:64]!r}")
    return False
