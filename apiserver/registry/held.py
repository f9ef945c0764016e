"""What a write takes of others before it is stored: kept with it, or returned where it is not stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol


class Held(Protocol):
    """Something taken for a write (`apiserver.allocation.Claims`, `apiserver.admission.quota.Charge`)."""

    async def keep(self) -> None:
        """The write happened."""
        ...

    async def drop(self) -> None:
        """The write did not happen."""
        ...


@dataclass(frozen=True, slots=True)
class AllHeld:
    """Several things."""

    parts: tuple[Held, ...] = ()

    async def keep(self) -> None:
        """Keep each."""
        for part in self.parts:
            await part.keep()

    async def drop(self) -> None:
        """Return each."""
        for part in self.parts:
            await part.drop()


NOTHING_HELD: Final = AllHeld()
