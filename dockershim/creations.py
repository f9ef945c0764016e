"""Which containers the engine has been asked to create, and has not answered about: it goes on when its client is killed.

Whoever clears up after a dockershim waits for them (`purge`, and the next dockershim): else one appears when everything
seems to be removed, and stays for good.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dockershim.docker import Engine
from dockershim.notes import Notes
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, DeadlineExceeded, NotFound, Unavailable
from machinery.model.insist import insist

FOLDER: Final = "creations"  # in a dockershim's state folder
_LOOKS: Final = 50
_LOOK: Final = Backoff(
    initial_s=0.2, cap_s=0.2
)  # wall seconds; 10 s are longer than an engine takes to create one


class Creations:
    """The notes of one dockershim, each under the name that the container is to have."""

    def __init__(self, state_dir: Path) -> None:
        self._notes = Notes(state_dir / FOLDER)

    def names(self) -> list[str]:
        """List the names that nobody has answered about."""
        return [str(self._notes.get(key)["name"]) for key in self._notes.names()]

    @asynccontextmanager
    async def asked(self, name: str) -> AsyncIterator[None]:
        """Note a creation while inside, and longer where there is no answer (a kill, a cancellation, a broken connection)."""
        self._notes.put(_key(name), {"name": name})
        try:
            yield
        except (Unavailable, DeadlineExceeded):
            raise
        except ApiError:
            self.forget(name)
            raise
        else:
            self.forget(name)

    def forget(self, name: str) -> None:
        """Remove a note."""
        self._notes.remove(_key(name))


async def appeared(engine: Engine, clock: Clock, name: str) -> None:
    """Return when a container of that name is on the engine, or can be no longer on its way there.

    Raises:
        Unavailable: the engine does not answer.
    """
    try:
        await insist(lambda: engine.inspect(name), clock, _LOOK, on=NotFound, attempts=_LOOKS)
    except NotFound:
        return


def unanswered(state_dirs: Iterable[str]) -> list[str]:
    """List the names in the notes of dockershims that are no more."""
    folders = (Path(folder) for folder in state_dirs)
    return [name for folder in folders if (folder / FOLDER).is_dir() for name in Creations(folder).names()]


def _key(name: str) -> str:
    """Return a file's name for a container's, which may be longer than a file's."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
