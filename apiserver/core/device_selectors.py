"""Expressions that select devices, compiled before they are stored; imported when the first one comes by."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from machinery.cel import CompileError, Kind, compile_expression
from machinery.cel.devices import DEVICES, MOST_COST
from machinery.model.errors import Cause

_FIT: Final = frozenset({Kind.BOOL, Kind.DYN})


def expression_causes(text: str, path: str) -> list[Cause]:
    """Check that an expression compiles, says yes or no, and does not cost too much."""
    try:
        program = compile_expression(text, DEVICES)
    except CompileError as error:
        return [field_errors.invalid(path, text, f"compilation failed: {error}")]
    if program.type.kind not in _FIT:
        problem = f"must evaluate to bool or the unknown type, not {program.type}"
        return [field_errors.invalid(path, text, problem)]
    if program.cost.high > MOST_COST:
        return [field_errors.forbidden(path, "too complex, exceeds cost limit")]
    return []
