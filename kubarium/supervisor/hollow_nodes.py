"""Orders to the process that hosts the hollow nodes, and what it says of them, over its control socket."""

from __future__ import annotations

import json
import socket
from typing import Final

import msgspec

from kubarium.errors import KubariumError

_ANSWER_S: Final = 5.0


def order(control: str, node: str, do: str) -> None:
    """Kill, pause, cut, resume or restart a hollow node.

    Raises:
        KubariumError: it cannot be done; the message says why.
    """
    body = json.dumps({"node": node, "do": do}).encode()
    head = f"PUT /nodes HTTP/1.1\r\nHost: nodes\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    try:
        status, said = _asked(control, head + body)
    except OSError as error:
        raise KubariumError(
            f"the process of the hollow nodes does not answer ({error}): `kubarium restart hollownodes` starts it"
        ) from error
    if status != 200:
        raise KubariumError(f"{said}; `kubarium restart {node}` switches it on" if status == 404 else said)


def powers(control: str) -> dict[str, str]:
    """Return what each hollow node is at present: on, off, paused or cut.

    Raises:
        KubariumError: their process does not say.
    """
    try:
        _, said = _asked(control, b"GET /nodes HTTP/1.1\r\nHost: nodes\r\n\r\n")
        return msgspec.json.decode(said, type=dict[str, str])
    except (OSError, msgspec.MsgspecError) as error:
        raise KubariumError(f"the process of the hollow nodes does not answer ({error})") from error


def _asked(control: str, request: bytes) -> tuple[int, str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client:
        client.settimeout(_ANSWER_S)
        client.connect(control)
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError("its answer cannot be read")
    return int(words[1]), body.decode(errors="replace")
