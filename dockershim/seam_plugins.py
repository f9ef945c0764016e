"""The seam of the CNI plugins that dockershim runs: conversation "cni", its methods named as "ADD bridge"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation

RunPlugin = Callable[
    [str, bytes, dict[str, str]], Awaitable[tuple[int, bytes]]
]  # program, stdin, environment


def through(run_plugin: RunPlugin, seam: Seam | None, caller: str, timeout_s: float) -> RunPlugin:
    """Return `run_plugin` with the seam around it; without a seam, `run_plugin` itself."""
    if seam is None:
        return run_plugin
    conversation = Conversation(seam, Ends(caller, "cni", "cni"))

    async def run(program: str, stdin: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
        if conversation.is_idle:
            return await run_plugin(program, stdin, environment)
        return await conversation.call(
            f"{environment['CNI_COMMAND']} {Path(program).name}",
            lambda _left_s: run_plugin(program, stdin, environment),
            about=f"sandboxes/{environment['CNI_CONTAINERID']}",
            body=lambda: stdin,
            timeout_s=timeout_s,
            measure=lambda answer: (0, len(answer[1])),
        )

    return run
