"""What the executor makes of refusals."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.actions import Patch, Plan
from controllers.core.expectations import Expectations
from controllers.execute import Executor
from machinery.model.errors import ApiError, Cause, Conflict, Invalid, NotFound
from machinery.model.resources import CONFIG_MAPS
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
