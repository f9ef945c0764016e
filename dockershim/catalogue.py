"""Our containers on the engine, and what is known of them.

What inspect said is kept while the engine's event stream is open and nothing has happened to the container since
(events.py and every RPC that changes something call `forget`). So a status is answered without the engine, and is
never older than the engine's last event.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from dockershim.core import naming
from dockershim.core.naming import Scope
from dockershim.core.states import Details
from dockershim.docker import Engine, Json
from machinery.model.errors import NotFound


class Catalogue:
    """Finds containers and sandboxes that bear our labels; others do not exist for us."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self.scope = scope
        self._known: dict[str, Details] = {}
        self._changes: defaultdict[str, int] = defaultdict(int)
        self._is_live = False

    def set_live(self, *, live: bool) -> None:
        """Note whether the engine's events come in; without them nothing is kept."""
        self._is_live = live
        self._known.clear()

    def forget(self, container_id: str) -> None:
        """Drop what is known of a container, because something happened to it."""
        self._changes[container_id] += 1
        self._known.pop(container_id, None)

    def drop(self, container_id: str) -> None:
        """Drop what is known of a container that is gone for good."""
        self._known.pop(container_id, None)
        self._changes.pop(container_id, None)

    async def container(self, container_id: str) -> Details:
        """Describe a container by its id or the beginning of it.

        Raises:
            NotFound: no container of ours has it.
        """
        return await self._find("container", naming.KIND_CONTAINER, container_id)

    async def sandbox(self, sandbox_id: str) -> Details:
        """Describe a sandbox by its id or the beginning of it.

        Raises:
            NotFound: no sandbox of ours has it.
        """
        return await self._find("pod sandbox", naming.KIND_SANDBOX, sandbox_id)

    async def fresh(self, container: str) -> Details:
        """Ask the engine about a container or sandbox by id or name.

        Raises:
            NotFound: there is none, or it is not ours.
        """
        before = self._changes.copy() if self._is_live else {}
        details = Details(await self._engine.inspect(container))
        if not self.scope.holds(details.labels):
            raise NotFound(f"container {container!r} is not one of ours")
        if self._is_live and before.get(details.id, 0) == self._changes.get(details.id, 0):
            self._known[details.id] = details
        return details

    async def find_by_name(self, name: str) -> Details | None:
        """Describe what bears a name; None if nothing does.

        Raises:
            NotFound: it belongs to somebody else.
        """
        try:
            raw = await self._engine.inspect(name)
        except NotFound:
            return None
        details = Details(raw)
        if not self.scope.holds(details.labels):
            raise NotFound(f"the name {name} is taken by a container that is not ours: {details.id}")
        return details

    async def summaries(self, kind: str, **labels: str) -> list[Json]:
        """List containers or sandboxes as the engine's list has them, in one call."""
        extra = [f"{key}={value}" for key, value in labels.items()]
        return await self._engine.containers([*self.scope.selectors, f"{naming.KIND}={kind}", *extra])

    async def containers_of(self, sandbox_id: str) -> list[Json]:
        """List the containers of a sandbox."""
        selectors = [*self.scope.selectors, f"{naming.SANDBOX}={sandbox_id}"]
        return await self._engine.containers(selectors)

    async def _find(self, what: str, kind: str, wanted: str) -> Details:
        if not wanted:
            raise NotFound(f"a {what} without an id is not there")
        try:
            details = self._known.get(wanted) or await self.fresh(wanted)
        except NotFound as error:
            raise NotFound(f"{what} {wanted!r} is not there") from error
        if details.kind != kind or not (details.id.startswith(wanted) or details.name == wanted):
            raise NotFound(f"{what} {wanted!r} is not there")
        return details


def labels_of(summary: Json) -> Any:
    """Return the labels of an item of the engine's list."""
    return summary.get("Labels") or {}
