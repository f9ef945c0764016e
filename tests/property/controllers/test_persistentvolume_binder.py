"""No claim has two volumes, and no volume two claims, however old what the binder looks at is."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controllers.core.actions import Facts
from controllers.persistentvolume_binder.claims import SeenClaim
from controllers.persistentvolume_binder.plan import plan
from controllers.persistentvolume_binder.volumes import SeenVolume
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from machinery.model.resources import PERSISTENT_VOLUMES as VOLUMES
from machinery.model.storage import BIND_COMPLETED
from tests.support.claims import claim, volume
from tests.support.controllers import SmallWorld
from tests.support.examples import examples

NAMES = ("a", "b", "c")
moves = st.lists(
    st.tuples(
        st.sampled_from(["claim", "volume", "claim", "volume", "new claim", "new volume", "claim goes", "reserve"]),
        st.sampled_from(NAMES),
        st.integers(0, 6),
    ),
    min_size=4,
    max_size=40,
)  # fmt: skip


class Binding:
    """The binder's world: every plan is made from what was there some changes ago."""

    def __init__(self) -> None:
        self.world = SmallWorld()
        for name in NAMES:
            self.world.add(CLAIMS, claim(name))
        for name in NAMES[:2]:
            self.world.add(VOLUMES, volume(name))
        self.past = [copy.deepcopy(self.world.objects)]

    def move(self, what: str, name: str, number: int) -> None:
        """Have something happen; `number` is how old the look of a plan is, and a size otherwise."""
        if what in {"claim", "volume"}:
            self.step(what, name, number)
        else:
            self._user(what, name, number)
        self.past.append(copy.deepcopy(self.world.objects))

    def step(self, what: str, name: str, age: int = 0) -> bool:
        """Plan for an object, and carry it out."""
        seen = self._look(what, name, self.past[-1 - min(age, len(self.past) - 1)])
        return seen is not None and self.world.run(lambda facts: _plan(seen, facts))

    def settle(self) -> None:
        """Plan for everything until nothing changes."""
        for _ in range(30):
            self.past.append(copy.deepcopy(self.world.objects))
            changed = [self.step(what, name) for what in ("claim", "volume") for name in NAMES]
            if not any(changed):
                return
        raise AssertionError("the binder does not come to rest")

    def _look(self, what: str, name: str, objects: dict[Any, Any]) -> SeenClaim | SeenVolume | None:
        then = SmallWorld()
        then.objects = objects
        claims = {each.metadata.name: each for each in then.list(CLAIMS)}
        volumes = {each.metadata.name: each for each in then.list(VOLUMES)}
        if what == "claim":
            if name not in claims:
                return None
            wanted = claims[name]
            rest = () if wanted.spec.volumeName else tuple(volumes.values())
            return SeenClaim(wanted, volumes.get(wanted.spec.volumeName), rest)
        if name not in volumes:
            return None
        found = volumes[name].spec.claimRef
        return SeenVolume(volumes[name], claims.get(found.name) if found else None)

    def _user(self, what: str, name: str, number: int) -> None:
        is_there = (str(CLAIMS), "default", name) in self.world.objects
        if what == "new claim" and not is_there:
            self.world.add(CLAIMS, claim(name, f"{number % 3 + 1}Gi"))
        elif what == "new volume" and (str(VOLUMES), "", name) not in self.world.objects:
            self.world.add(VOLUMES, volume(name, f"{number % 3 + 1}Gi", phase="Pending"))
        elif what == "claim goes" and is_there:
            del self.world.objects[str(CLAIMS), "default", name]
        elif what == "reserve" and is_there:
            self._reserve(name, NAMES[number % 3])

    def _reserve(self, name: str, of: str) -> None:
        wanted = self.world.objects[str(CLAIMS), "default", name]
        if not wanted["spec"].get("volumeName"):
            self.world.change(CLAIMS, name, {"spec": {"volumeName": of}})

    def check(self) -> None:
        """Of the claims whose binding is complete, no two have one volume, and each volume agrees, or refers to nobody."""
        volumes = {each.metadata.name: each for each in self.world.list(VOLUMES)}
        complete = [each for each in self.world.list(CLAIMS) if BIND_COMPLETED in each.metadata.annotations]
        assert max(Counter(each.spec.volumeName for each in complete).values(), default=0) <= 1
        for each in complete:
            reference = volumes[each.spec.volumeName].spec.claimRef
            assert reference is None or reference.uid == each.metadata.uid


def _plan(seen: SeenClaim | SeenVolume, facts: Facts):
    return plan(seen, SmallWorld().moment, facts)


@examples(60)
@given(moves)
def test_bindings_stay_one_to_one(moves):
    """In the end each claim that is bound has one volume, which is bound to it, and no volume refers to a bound one besides."""
    binding = Binding()
    for move in moves:
        binding.move(*move)
        binding.check()
    binding.settle()
    binding.check()
    world = binding.world
    volumes = {each.metadata.name: each for each in world.list(VOLUMES)}
    claims = world.list(CLAIMS)
    for each in claims:
        if each.status.phase == "Bound":
            assert volumes[each.spec.volumeName].status.phase == "Bound"
    referred = Counter(each.spec.claimRef.uid for each in volumes.values() if each.status.phase == "Bound")
    assert all(count == 1 for count in referred.values())
