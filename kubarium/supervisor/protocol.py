"""How the handle speaks with the supervisor: one JSON object a line over a unix socket, mode 0600.

The handle sends one request, {"op": ..., ...}; the supervisor answers with one line: {"ok": ...} or
{"error": "..."}; then it closes. After `down` it closes when it has left the cluster's folders.
"""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec

from kubarium.errors import KubariumError
from kubarium.host.pidfd import wait_ended

LINE_LIMIT = 1 << 20
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of unix(7)


Word: TypeAlias = Annotated[str, msgspec.Meta(max_length=253)]  # as long as a name in Kubernetes
FilePath: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]  # PATH_MAX of Linux


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the supervisor is asked; an operation reads the fields that it needs."""

    op: Word
    home: FilePath = ""  # the cluster's folder, as the handle knows it; another one's supervisor refuses
    component: Word = ""
    restart: bool = False
    name: Word = ""
    cpu: Word = ""
    memory: Word = ""
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    kubelet_args: dict[str, str] = {}
    bootstrap: bool = False


def read_request(line: bytes) -> Request:
    """Read one request.

    Raises:
        KubariumError: it is none; the message says where.
    """
    try:
        return msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise KubariumError(f"the supervisor was asked for what is no request: {error}") from error


def call(
    control: Path, op: str, *, timeout_s: float = 60.0, until_ended: bool = False, **arguments: Any
) -> Any:
    """Ask the supervisor and return its answer; to `down`, when it has left the cluster's folders.

    With `until_ended` its process has ended by then, too: it closes its sockets a moment earlier.

    Raises:
        KubariumError: the supervisor refused, and says why.
        ConnectionError, FileNotFoundError: no supervisor is there.
        TimeoutError: it did not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(control))
        pid = _peer(connection)
        connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
        with connection.makefile("rb") as reader:
            line = reader.read()
    if not line:
        raise ConnectionResetError(f"the supervisor at {control} closed the connection without an answer")
    answer = json.loads(line)
    if "error" in answer:
        raise KubariumError(answer["error"])
    if until_ended and pid:
        wait_ended(pid, timeout_s)
    return answer["ok"]


def _peer(connection: socket.socket) -> int:
    """Return the pid of who listens at the other end; 0 where it is not of this machine."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[0])
