"""The seam of the CNI plugins that dockershim runs: conversation "cni", its methods named as "ADD bridge"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation, Measured, Reading

RunPlugin = Callable[
    [str, bytes, dict[str, str]], Awaitable[tuple[int, bytes]]
]  # program, stdin, environment

READING: Final = Reading(
    lambda request: f"sandboxes/{request[1]['CNI_CONTAINERID']}",
    lambda request: request[0],
    lambda answer: Measured(size=len(answer[1])),
)


def through(run_plugin: RunPlugin, seam: Seam | None, caller: str, timeout_s: float) -> RunPlugin:
    """Return `run_plugin` with the seam around it; without a seam, `run_plugin` itself."""
    if seam is None:
        return run_plugin
    conversation = Conversation(seam, Ends(caller, "cni", "cni"), READING)

    async def run(program: str, stdin: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
        if conversation.is_idle:
            return await run_plugin(program, stdin, environment)
        return await conversation.call(
            f"{environment['CNI_COMMAND']} {Path(program).name}",
            (stdin, environment),
            lambda _left_s: run_plugin(program, stdin, environment),
            timeout_s,
        )

    return run
