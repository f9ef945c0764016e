"""How the handle speaks with the supervisor: one JSON object a line over a unix socket, mode 0600.

The handle sends one request, {"op": ..., ...}; the supervisor answers with one line: {"ok": ...} or
{"error": "..."}; then it closes. After `down` it closes when it has left the cluster's folders.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from kubarium.errors import KubariumError

LINE_LIMIT = 1 << 20


def call(control: Path, op: str, *, timeout_s: float = 60.0, **arguments: Any) -> Any:
    """Ask the supervisor and return its answer; to `down`, when it has left the cluster's folders.

    Raises:
        KubariumError: the supervisor refused, and says why.
        ConnectionError, FileNotFoundError: no supervisor is there.
        TimeoutError: it did not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(control))
        connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
        with connection.makefile("rb") as reader:
            line = reader.read()
    if not line:
        raise ConnectionResetError(f"the supervisor at {control} closed the connection without an answer")
    answer = json.loads(line)
    if "error" in answer:
        raise KubariumError(answer["error"])
    return answer["ok"]
