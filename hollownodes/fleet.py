"""All hollow nodes of the process: switched on a few at a time, and each killed, paused and cut off by its name.

A node that was killed stays off until somebody switches it on, also where the process has ended in between: the names of those
are in a file. One whose kubelet fails is switched on again after a while, as a supervisor would.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from hollownodes.node import HollowNode, Surroundings
from machinery.model.backoff import Backoff
from machinery.model.errors import NotFound
from machinery.model.hollow_nodes import node_names

OFF_FILE: Final = "switched-off.json"
_AGAIN: Final = Backoff(initial_s=1.0, cap_s=30.0)  # wall seconds, after a kubelet that failed


class Power(Enum):
    """What a node is at present."""

    ON = "on"
    OFF = "off"
    PAUSED = "paused"
    CUT = "cut"  # off from the apiserver


@dataclass(slots=True)
class _Place:
    """One node's place: the node while it is on."""

    number: int
    power: Power = Power.ON
    starts: int = 0
    node: HollowNode | None = None
    life: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Fleet:
    """The nodes, by their names."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._places = {
            name: _Place(number) for number, name in enumerate(node_names(around.config.nodes), 1)
        }
        self._starting = asyncio.Semaphore(around.config.starts_at_once)
        self._file = around.config.root / OFF_FILE
        for name in _read(self._file):
            if name in self._places:
                self._places[name].power = Power.OFF

    async def run(self) -> None:
        """Run the nodes that are on, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, place in self._places.items():
                tasks.create_task(self._attend(name, place), name=name)

    def powers(self) -> dict[str, Power]:
        """Return what each node is at present."""
        return {name: place.power for name, place in self._places.items()}

    def kill(self, name: str) -> None:
        """Switch a node off as a machine that loses its power: nothing that it still tries has an effect. Idempotent.

        Raises:
            NotFound: there is no node of this name.
        """
        place = self._place(name)
        place.power = Power.OFF
        self._end(place)
        self._write()

    def pause(self, name: str) -> None:
        """Freeze a node: it holds its connections and says nothing.

        Raises:
            NotFound: there is no node of this name, or it is off.
        """
        self._running(name).freeze()
        self._place(name).power = Power.PAUSED

    def cut(self, name: str) -> None:
        """Cut a node off from the apiserver: its kubelet and its pods go on.

        Raises:
            NotFound: there is no node of this name, or it is off.
        """
        self._running(name).unplug()
        self._place(name).power = Power.CUT

    def resume(self, name: str) -> None:
        """Resume a node that is paused, and join one that is cut off.

        Raises:
            NotFound: there is no node of this name, or it is off.
        """
        node = self._running(name)
        node.thaw()
        node.plug()
        self._place(name).power = Power.ON

    def restart(self, name: str) -> None:
        """Switch a node off where it is on, and on: its containers are gone, its boot id is another one.

        Raises:
            NotFound: there is no node of this name.
        """
        place = self._place(name)
        self._end(place)
        place.power = Power.ON
        place.changed.set()
        self._write()

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise NotFound(f'there is no hollow node "{name}"')
        return self._places[name]

    def _running(self, name: str) -> HollowNode:
        place = self._place(name)
        if place.node is None or place.power is Power.OFF:
            raise NotFound(f'"{name}" is switched off')
        return place.node

    @staticmethod
    def _end(place: _Place) -> None:
        if place.node is not None and place.life is not None:
            place.node.cut_power()
            place.life.cancel()

    async def _attend(self, name: str, place: _Place) -> None:
        """Run one node again and again, while it is to be on."""
        clock, log, failures = self._around.clock, self._around.log, 0
        while True:
            place.changed.clear()
            if place.power is Power.OFF:
                await place.changed.wait()
                continue
            async with self._starting:
                place.starts += 1
                place.power = Power.ON
                node = place.node = HollowNode(place.number, self._around, place.starts)
                registered = asyncio.Event()
                place.life = asyncio.create_task(node.live(registered.set), name=f"life-{name}")
                await _first(place.life, registered)
            try:
                error = await _ended(place.life)
            finally:
                node.cut_power()
                place.node = None
                place.life.cancel()
            if error is not None:
                failures += 1
                log.error("hollow_node_failed", hollow_node=name, error=error, failures=failures)
                await clock.sleep_wall(_AGAIN.delay(failures))

    def _write(self) -> None:
        off = [name for name, place in self._places.items() if place.power is Power.OFF]
        draft = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk: they are off all the same, until the process ends
            draft.write_bytes(msgspec.json.encode(off))
            draft.replace(self._file)


async def _first(life: asyncio.Task[None], registered: asyncio.Event) -> None:
    """Return when a node is registered, or has ended before."""
    waiting = asyncio.ensure_future(registered.wait())
    try:
        await asyncio.wait([life, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _ended(life: asyncio.Task[None]) -> BaseException | None:
    """Wait for the end of a node's life; return what it failed with, None where it was ended."""
    await asyncio.wait([life])
    return None if life.cancelled() else life.exception() or RuntimeError("the kubelet ended by itself")


def _read(file: Path) -> list[str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []
