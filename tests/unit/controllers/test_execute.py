"""What the executor makes of refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from controllers.core.actions import AllAtOnce, Create, Patch, Plan, RecordEvent, SlowStart
from controllers.core.expectations import Expectations, Unclear
from controllers.core.portions import LARGEST, portioned
from controllers.execute import Executor
from machinery.model.errors import (
    AlreadyExists,
    ApiError,
    Cause,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
)
from machinery.model.k8s.core_v1 import ConfigMap, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import CONFIG_MAPS, SECRETS
from tests.support.virtual_clock import VirtualClock


class Refusing:
    """An apiserver that refuses every patch."""

    def __init__(self, error: ApiError) -> None:
        self.error = error

    async def patch(self, *_: Any, **__: Any) -> None:
        """Refuse.

        Raises:
            ApiError: always.
        """
        raise self.error


@pytest.mark.parametrize(("field", "expected"), [("metadata.uid", Conflict), ("data", Invalid)])
async def test_a_patch_that_reaches_a_namesake_is_a_conflict(field: str, expected: type[ApiError]) -> None:
    """It was planned for another object, of which the next look knows nothing; what else is invalid stays so."""
    api: Any = Refusing(Invalid("no", causes=(Cause(field, "field is immutable"),)))
    recorder: Any = None
    executor = Executor[str](
        api, recorder, Expectations(), sees=bool, clock=VirtualClock(), random_ints=lambda most: most - 1
    )
    with pytest.raises(expected):
        await executor.execute("a", Plan((Patch(CONFIG_MAPS, "default", "a", {"metadata": {"uid": "u"}}),)))


@pytest.mark.parametrize(
    ("declared", "may"),
    [
        ("patch configmaps", True),
        ("patch *", True),
        ("patch configmaps/status", False),
        ("create configmaps", False),
        ("patch */scale", False),
    ],
)
async def test_what_is_not_declared_is_not_written(declared: str, may: bool) -> None:
    """A controller that writes something else has a bug, which ends it."""
    api: Any = Refusing(NotFound("gone"))
    recorder: Any = None
    executor = Executor[str](
        api,
        recorder,
        Expectations(),
        sees=bool,
        clock=VirtualClock(),
        random_ints=lambda most: most - 1,
        declared=frozenset({declared}),
    )
    with pytest.raises(NotFound if may else RuntimeError):
        await executor.execute("a", Plan((Patch(CONFIG_MAPS, "default", "a", {"data": {}}),)))


class Making:
    """An apiserver that makes what it is asked for, but what `refused` names; a `fault` befalls whole requests for several."""

    def __init__(self, refused: Mapping[str, ApiError] | None = None, fault: ApiError | None = None) -> None:
        self.refused = refused or {}
        self.fault = fault
        self.sizes: list[int] = []

    async def create(self, _resource: Any, obj: ConfigMap) -> ConfigMap:
        """Make one.

        Raises:
            ApiError: it is refused.
        """
        self.sizes.append(1)
        if error := self.refused.get(obj.metadata.name):
            raise error
        return obj

    async def create_each(
        self, _resource: Any, objs: Sequence[tuple[ConfigMap, Any]]
    ) -> list[ConfigMap | ApiError]:
        """Make several.

        Raises:
            ApiError: the fault.
        """
        self.sizes.append(len(objs))
        if self.fault is not None:
            raise self.fault
        return [self.refused.get(obj.metadata.name, obj) for obj, _ in objs]


class Told:
    """Remembers what is recorded."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def record(self, _regarding: Any, _type: str, _reason: str, message: str) -> None:
        """Remember an event."""
        self.messages.append(message)


_ABOUT = ObjectReference(kind="ConfigMap", name="owner", namespace="default")


def creation(name: str, *, already_exists_is_fine: bool = False) -> Create:
    return Create(
        CONFIG_MAPS,
        ConfigMap(metadata=ObjectMeta(name=name, namespace="default")),
        on_success=RecordEvent(_ABOUT, "Normal", "Made", "made {name}"),
        on_failure=RecordEvent(_ABOUT, "Warning", "NotMade", "not made: {error}"),
        already_exists_is_fine=already_exists_is_fine,
    )


def maker(api: Any, told: Any, expectations: Expectations[str]) -> Executor[str]:
    return Executor[str](
        api, told, expectations, sees=lambda _: True, clock=VirtualClock(), random_ints=lambda most: most - 1
    )


def test_new_objects_of_a_kind_are_portioned_and_other_writes_are_not() -> None:
    """One that is alone of its kind, or left over, is a request of its own."""
    patch = Patch(CONFIG_MAPS, "default", "a", {})
    maps = [creation(f"m{number}") for number in range(LARGEST + 1)]
    secret = Create(SECRETS, ConfigMap())
    found = portioned([patch, *maps, secret])
    assert found.together == [maps[:LARGEST]]
    assert found.single == [patch, maps[LARGEST], secret]
    assert portioned(()) == ([], [])


async def test_a_slow_start_is_a_request_for_each_portion() -> None:
    """One object first, then twice as many each time."""
    api, told = Making(), Told()
    executor = maker(api, told, Expectations())
    await executor.execute("a", Plan((SlowStart(tuple(creation(f"m{each:02}") for each in range(50))),)))
    assert api.sizes == [1, 2, 4, 8, 16, 16, 3]
    assert sorted(told.messages) == [f"made m{each:02}" for each in range(50)]


async def test_what_comes_of_one_of_several_does_not_touch_the_others() -> None:
    """The first refusal that is one fails the plan, once all are noted."""
    api = Making({"b": AlreadyExists("there"), "c": Forbidden("no"), "d": AlreadyExists("d is there")})
    told, expectations = Told(), Expectations[str]()
    executor = maker(api, told, expectations)
    writes = (*map(creation, "ac"), creation("b", already_exists_is_fine=True), creation("d"), creation("e"))
    with pytest.raises(Forbidden, match="no"):
        await executor.execute("a", Plan((AllAtOnce(writes),)))
    assert told.messages == ["made a", "not made: no", "made e"]
    failure = executor.failure("a")
    assert failure is not None
    assert failure.message == "no"
    assert not expectations.unclear("a")


async def test_after_a_request_for_several_whose_answer_is_lost_each_is_looked_up() -> None:
    """By the names that they were given here; what would have followed is left out."""
    api, expectations = Making(fault=Unavailable("lost")), Expectations[str]()
    executor = maker(api, Told(), expectations)
    with pytest.raises(Unavailable):
        await executor.execute("a", Plan((AllAtOnce(tuple(map(creation, "ab"))), creation("c"))))
    assert set(expectations.unclear("a")) == {Unclear(CONFIG_MAPS, "default", name) for name in "ab"}
    assert api.sizes == [2]
    assert executor.failure("a") is None
