"""What the HorizontalPodAutoscaler controller watches and looks at.

It watches nothing but the autoscalers: pods, metrics and scales it asks for when it is an autoscaler's turn, so that a
cluster without one pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.horizontal_pod_autoscaler.memory import EMPTY, Memory
from controllers.horizontal_pod_autoscaler.plan import Seen, plan
from controllers.horizontal_pod_autoscaler.target import AUTOSCALERS
from machinery.model.k8s.autoscaling_v2 import HorizontalPodAutoscaler
from machinery.model.resources import Resource
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches, settings)
    return Controller(
        "horizontal-pod-autoscaler",
        (Watched(reader.autoscalers, changed),),
        reader.look,
        plan,
        workers=5,
        remember=reader.remember,
        writes=frozenset({"patch horizontalpodautoscalers.autoscaling/status", "patch */scale"}),
    )


class Reader:
    """Reads the cache, and remembers."""

    def __init__(self, caches: Caches, settings: Settings) -> None:
        self.autoscalers = caches.ask(AUTOSCALERS)
        self._kinds: dict[tuple[str, str], Resource[Any]] = {
            (each.group, each.kind): each for each in reversed(settings.kinds)
        }
        self._usual = settings.autoscaling
        self._memories: dict[Key, Memory] = {}

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return an autoscaler with what is remembered of it, and which pods the others of its namespace scale."""
        autoscaler = self.autoscalers.store.get(*key)
        if autoscaler is None:
            self._memories.pop(key, None)
            return None
        others = {
            other: memory.selector
            for other, memory in self._memories.items()
            if other != key and other[0] == key[0] and memory.selector is not None
        }
        return Seen(autoscaler, self._memories.get(key, EMPTY), others, self._kinds, self._usual)

    def remember(self, told: tuple[Key, Memory]) -> None:
        """Remember what a plan says of an autoscaler."""
        key, memory = told
        if self.autoscalers.store.get(*key) is not None:
            self._memories[key] = memory


def changed(change: Change[HorizontalPodAutoscaler]) -> Iterator[Key]:
    """Return the key of an autoscaler that came, went, or wants something else; its status is our own."""
    if change.old is None or change.new is None or change.old.spec != change.new.spec:
        yield key_of(change.object.metadata)
