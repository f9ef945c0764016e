"""Expressions that select devices."""

from __future__ import annotations

from typing import Any

import pytest

from machinery.cel import CompileError, Environment, compile_expression
from machinery.cel.devices import DEVICES, MOST_COST
from machinery.cel.library.quantities import parse_quantity

DEVICE = {
    "driver": "gpu.example.com",
    "attributes": {"gpu.example.com": {"model": "a", "cores": 8, "ready": True}},
    "capacity": {"gpu.example.com": {"memory": parse_quantity("80Gi")}},
    "allowMultipleAllocations": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("device.driver == 'gpu.example.com'", True),
        ("device.attributes['gpu.example.com'].model", "a"),
        ("device.attributes['gpu.example.com'].cores > 4", True),
        ("device.attributes['gpu.example.com'].?speed.orValue(3) > 4", False),
        ("device.capacity['gpu.example.com'].memory.compareTo(quantity('64Gi')) >= 0", True),
        ("cel.bind(gpu, device.attributes['gpu.example.com'], gpu.ready && gpu.cores == 8)", True),
        ("cel.bind(a, 2, cel.bind(b, a * a, a + b))", 6),
        ("cel.bind(a, 1, cel.bind(a, a + 1, a)) + cel.bind(a, 5, a)", 7),
        ("[1, 2].map(x, cel.bind(y, x * 2, [x, y]))", [[1, 2], [2, 4]]),
        ("!device.allowMultipleAllocations", True),
    ],
)
def test_a_device_has_attributes_and_capacity(text: str, value: Any) -> None:
    """By the domain of their names; a name may stand for what is used twice."""
    assert compile_expression(text, DEVICES)({"device": DEVICE}) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("device.price", "undefined field 'price'"),
        ("cel.bind('a', 1, 2)", "argument must be a simple name"),
        ("cel.bind(a, 1, b)", "undeclared reference to 'b'"),
        ("cel.bind(a, 1, a == 'x')", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("cel.bind(a, 1, a) + a", "undeclared reference to 'a'"),
    ],
)
def test_what_an_expression_gets_wrong_is_told(text: str, problem: str) -> None:
    """A name is one only within what it was given for."""
    with pytest.raises(CompileError) as caught:
        compile_expression(text, DEVICES)
    assert problem in str(caught.value)


def test_other_expressions_give_no_names() -> None:
    """Rules and policies have no such macro in Kubernetes either."""
    with pytest.raises(CompileError, match="undeclared reference to 'cel'"):
        compile_expression("cel.bind(a, 1, a)", Environment({}))


def test_sizes_are_bounded_so_that_costs_are_known() -> None:
    """A loop over all attributes is fine, one within the other three times is not."""
    inner = "true"
    costs = []
    for name in "abcd":
        inner = f"device.attributes.all({name}, {inner})"
        costs.append(compile_expression(inner, DEVICES).cost.high)
    assert costs[0] < MOST_COST < costs[3]
    bound = compile_expression("cel.bind(x, device.driver, x + x)", DEVICES).cost
    assert bound.high == compile_expression("device.driver + device.driver", DEVICES).cost.high
