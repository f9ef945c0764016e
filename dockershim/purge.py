"""`python -m dockershim --purge --cluster=c [--node=n]`: remove what was made for a cluster or one of its nodes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dockershim.config import DockershimConfig
from dockershim.core.naming import Scope
from dockershim.creations import appeared, unanswered
from dockershim.docker import Engine
from dockershim.engine_connection import EngineConnection
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, NotFound
from machinery.process.clock import SystemClock
from machinery.process.config import parse

_CGROUPS: Final = Path("/sys/fs/cgroup")
_ROUNDS: Final = 5
_PAUSE_S: Final = 0.2


def purge_command(argv: Sequence[str]) -> int:
    """Remove the containers and the empty cgroups; return the exit code."""
    config = parse(DockershimConfig, argv)
    try:
        asyncio.run(purge(config.docker_socket, Scope(config.cluster, config.node), config.purge_states))
    except ApiError as error:
        print(f"dockershim: {error.message}", file=sys.stderr)  # noqa: T201 - a command speaks on stderr
        return 1
    return 0


async def purge(docker_socket: str, scope: Scope, state_dirs: Sequence[str] = ()) -> None:
    """Remove every container of a cluster or node, running or not, then its cgroup folders.

    With the state folders of its dockershims, also what they had asked for when they were killed.

    Raises:
        Unavailable: the engine does not answer.
    """
    clock = SystemClock()
    engine = Engine(EngineConnection(docker_socket, clock))
    _thaw(scope)
    try:
        await asyncio.gather(*(appeared(engine, clock, name) for name in unanswered(state_dirs)))
        for _ in range(_ROUNDS):
            found = await engine.containers(scope.selectors)
            if not found:
                break
            await asyncio.gather(*(_remove(engine, clock, item["Id"]) for item in found))
    finally:
        await engine.aclose()
    await _remove_cgroups(scope, clock)


def _thaw(scope: Scope) -> None:
    """Thaw frozen containers: an engine cannot kill what does not run."""
    for root in _roots(scope):
        for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            with contextlib.suppress(OSError):  # the other version's file, or the group is going
                if (root / name).exists():
                    (root / name).write_text(value)


async def _remove(engine: Engine, clock: Clock, container_id: str) -> None:
    try:
        await engine.remove(container_id)
    except NotFound:
        return
    except Conflict:  # somebody else is removing it
        await clock.sleep_wall(_PAUSE_S)


async def _remove_cgroups(scope: Scope, clock: Clock) -> None:
    """Remove the folders bottom-up; the kernel refuses those that still hold a process."""
    for _ in range(_ROUNDS):
        left = [root for root in _roots(scope) if not _remove_tree(root)]
        if not left:
            break
        await clock.sleep_wall(_PAUSE_S)
    for top in () if scope.node else {root.parent for root in _roots(scope, must_exist=False)}:
        with contextlib.suppress(OSError):  # other clusters are in it, or it is not there
            top.rmdir()


def _roots(scope: Scope, *, must_exist: bool = True) -> list[Path]:
    parts = ["kubarium", scope.cluster, *([scope.node] if scope.node else [])]
    slices = [
        "-".join(part.replace("-", "_") for part in parts[: end + 1]) + ".slice" for end in range(len(parts))
    ]
    tops = [_CGROUPS, *(path for path in _CGROUPS.glob("*") if path.is_dir() and not path.is_symlink())]
    return [
        root
        for top in tops
        for names in (parts, slices)
        if (root := top.joinpath(*names)).is_dir() or not must_exist
    ]


def _remove_tree(root: Path) -> bool:
    """Remove a cgroup and those below it; return whether all are gone."""
    try:
        for child in [path for path in root.iterdir() if path.is_dir()]:
            _remove_tree(child)
        root.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
