"""How what the scheduler knows of a kind follows the kind's informer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from machinery.client.informer import Informer
from machinery.model.resources import KubeObject
from machinery.model.store import Change

T = TypeVar("T", bound=KubeObject)


def follow(
    informer: Informer[T],
    put: Callable[[T], object],
    drop: Callable[[T], object],
    then: Callable[[Change[T]], None],
) -> None:
    """Have `put` called with each object that comes or changes, `drop` with the last state of each that goes.

    `then` is told of the change when that is done.
    """

    def take(change: Change[T]) -> None:
        if change.new is None:
            drop(change.object)
        else:
            put(change.new)
        then(change)

    informer.subscribe(take)
