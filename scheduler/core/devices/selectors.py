"""Whether expressions select a device. The language is imported when the first one is asked.

What an expression says of a device is kept with the device: it says the same until the device's slice changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from scheduler.core.devices.pools import Device

if TYPE_CHECKING:
    from machinery.cel import Program

_MOST_PROGRAMS: Final = 1_000


class SelectorError(Exception):
    """An expression does not say whether it selects a device."""


class Selectors:
    """Compiled expressions, by their text."""

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def select(self, expressions: Iterable[str], device: Device) -> bool:
        """Whether all of some expressions select a device.

        Raises:
            SelectorError: one of them says neither yes nor no.
        """
        return all(self._selects(number, each, device) for number, each in enumerate(expressions))

    def _selects(self, number: int, expression: str, device: Device) -> bool:
        if (known := device.matches.get(expression)) is None:
            known = device.matches[expression] = self._evaluated(number, expression, device)
        return known

    def _evaluated(self, number: int, expression: str, device: Device) -> bool:
        from machinery.cel import CelError, CompileError
        from machinery.cel.devices import MOST_COST

        try:
            found = self._program(expression)({"device": _seen(device)}, per_call=MOST_COST)
        except CompileError as error:
            raise SelectorError(f"selector #{number}: CEL compile error: {error}") from error
        except CelError as error:
            text = f"selector #{number} on device {device.id}: CEL runtime error: {error}"
            raise SelectorError(text) from error
        if not isinstance(found, bool):
            kind = type(found).__name__
            text = f"CEL result of type {kind} could not be converted to bool: {found}"
            raise SelectorError(f"selector #{number} on device {device.id}: CEL runtime error: {text}")
        return found

    def _program(self, expression: str) -> Program:
        from machinery.cel import compile_expression
        from machinery.cel.devices import DEVICES

        if expression not in self._programs:
            if len(self._programs) >= _MOST_PROGRAMS:
                self._programs.clear()
            self._programs[expression] = compile_expression(expression, DEVICES)
        return self._programs[expression]


class _ByDomain(dict[str, dict[str, Any]]):
    """Attributes by the domain of their names; of a domain that says nothing there are none."""

    def __missing__(self, domain: str) -> dict[str, Any]:
        return {}


def _seen(device: Device) -> dict[str, Any]:
    """Return a device as expressions see it."""
    from machinery.cel.library.quantities import parse_quantity

    attributes, capacity = _ByDomain(), _ByDomain()
    for name, attribute in device.attributes.items():
        _enter(attributes, name, _attribute(attribute), device.id.driver)
    for name, amount in device.capacity.items():
        _enter(capacity, name, parse_quantity(amount), device.id.driver)
    return {
        "driver": device.id.driver,
        "attributes": attributes,
        "capacity": capacity,
        "allowMultipleAllocations": False,
    }


def _enter(found: _ByDomain, name: str, value: Any, driver: str) -> None:
    domain, slash, rest = name.partition("/")
    where, own = (domain, rest) if slash else (driver, name)
    found.setdefault(where, {})[own] = value


def _attribute(attribute: Any) -> Any:
    from machinery.cel.library.versions import parse_semver

    [(type_, value)] = attribute.items()
    if type_ == "version":
        return parse_semver(value)
    return [parse_semver(each) for each in value] if type_ == "versions" else value
