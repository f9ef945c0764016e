"""What a controller has written and not yet seen: until it does, its caches are too old to decide from.

A ReplicaSet's plan that does not see the pod it made a moment ago would make another one. So every write is
noted under the key that it was made for, and the key waits until the informer shows it: an object at the written
revision or later, a deletion as a deletionTimestamp or as absence. A create whose outcome is unknown is looked up
live before anything else. What is not seen within five minutes is given up (as upstream does): the informer may
have been unable to show it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import revision_of
from machinery.model.resources import Resource

K = TypeVar("K", bound=Hashable)
Place: TypeAlias = tuple[str, str, str]  # resource, namespace, name
Look: TypeAlias = Callable[[Place], ObjectMeta | None]  # into an informer's store

TIMEOUT_S: Final = 300.0
_REMEMBERED: Final = 4_096  # uids of deleted objects: a deletion may be seen before the create's answer


@dataclass(frozen=True, slots=True)
class Written:
    """An object that was created or changed."""

    place: Place
    uid: str
    revision: int


@dataclass(frozen=True, slots=True)
class Removed:
    """An object whose deletion was asked for."""

    place: Place
    uid: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """A create that may have happened; the name was chosen by us, so a live look settles it."""

    resource: Resource[Any]
    namespace: str
    name: str

    @property
    def place(self) -> Place:
        """Where it would be."""
        return str(self.resource), self.namespace, self.name


Expectation: TypeAlias = Written | Removed | Unclear


class Gone:
    """The uids of the objects that went last, and the places that any controller waits to see something at."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, None] = OrderedDict()
        self._awaited: Counter[Place] = Counter()

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def is_awaited(self, place: Place) -> bool:
        """Whether anybody waits to see what he has written at a place."""
        return place in self._awaited

    def wait(self, place: Place) -> None:
        """Note that one more waits for a place."""
        self._awaited[place] += 1

    def wait_no_more(self, place: Place) -> None:
        """Note that one less does."""
        self._awaited[place] -= 1
        if self._awaited[place] <= 0:
            del self._awaited[place]

    def note(self, uid: str) -> None:
        """Note an object that has gone."""
        self._uids[uid] = None
        if len(self._uids) > _REMEMBERED:
            self._uids.popitem(last=False)


class Expectations(Generic[K]):
    """The writes of one controller that it has not seen yet, by key; what has `gone` it may share with others."""

    def __init__(self, gone: Gone | None = None) -> None:
        self._open: dict[K, dict[Expectation, float]] = {}  # → when it was noted, monotonic seconds
        self._waiting: dict[Place, dict[K, list[Expectation]]] = {}
        self._gone = Gone() if gone is None else gone

    def expect(self, key: K, expectation: Expectation, now_s: float) -> None:
        """Note a write."""
        self._open.setdefault(key, {})[expectation] = now_s
        if expectation.place not in self._waiting:
            self._waiting[expectation.place] = {}
            self._gone.wait(expectation.place)
        of_key = self._waiting[expectation.place].setdefault(key, [])
        if expectation not in of_key:
            of_key.append(expectation)

    def unclear(self, key: K) -> list[Unclear]:
        """Return the creates that have to be looked up live."""
        return [open_ for open_ in self._open.get(key, ()) if isinstance(open_, Unclear)]

    def settle(self, key: K, unclear: Unclear, found: ObjectMeta | None, now_s: float) -> None:
        """Note the answer of a live look: it was created (then the cache has to show it), or it was not."""
        self._close(key, unclear)
        if found is not None:
            self.expect(key, Written(unclear.place, found.uid, revision_of(found)), now_s)

    def wait_s(self, key: K, now_s: float, look: Look) -> float | None:
        """Return how long the key may have to wait for what it wrote; None where it has seen everything."""
        for open_, noted_s in list(self._open.get(key, {}).items()):
            if now_s - noted_s >= TIMEOUT_S or self._is_met(open_, look(open_.place)):
                self._close(key, open_)
        still = self._open.get(key)
        return TIMEOUT_S - (now_s - min(still.values())) if still else None

    def is_open(self, key: K) -> bool:
        """Whether the key has written something that it has not seen."""
        return key in self._open

    def saw(self, place: Place, current: ObjectMeta | None) -> Iterable[K]:
        """Note what stands at a place now; return the keys that have now seen everything."""
        if place not in self._waiting:
            return ()
        waiting = [(key, tuple(opened)) for key, opened in self._waiting[place].items()]
        for key, opened in waiting:
            for open_ in opened:
                if self._is_met(open_, current):
                    self._close(key, open_)
        return [key for key, _ in waiting if key not in self._open]

    def _is_met(self, open_: Expectation, current: ObjectMeta | None) -> bool:
        match open_:
            case Written(uid=uid, revision=written):
                if current is None:
                    return uid in self._gone
                return revision_of(current) >= written
            case Removed(uid=uid):
                return current is None or current.uid != uid or current.deletionTimestamp is not None
            case Unclear():
                return False

    def _close(self, key: K, open_: Expectation) -> None:
        of_key = self._open.get(key, {})
        of_key.pop(open_, None)
        if not of_key:
            self._open.pop(key, None)
        waiting = self._waiting.get(open_.place, {})
        at_place = waiting.get(key, [])
        if open_ in at_place:
            at_place.remove(open_)
        if not at_place:
            waiting.pop(key, None)
        if not waiting and self._waiting.pop(open_.place, None) is not None:
            self._gone.wait_no_more(open_.place)
