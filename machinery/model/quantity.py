"""Resource quantities: "500m", "1.5Gi", "2e3".

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ gives the rules: exact
decimals; what is finer than a billionth is rounded away from zero; the canonical form loses nothing, has no
fraction, and takes the largest suffix of the family (binary, decimal, exponent) that it was written in.
"""

from __future__ import annotations

import re
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Final

_FORM: Final = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(.*)", re.ASCII | re.DOTALL)
_EXPONENT: Final = re.compile(r"[eE]([+-]?\d{1,9})", re.ASCII)
_NANO: Final = 10**9
_BINARY_CAP: Final = 2**63 - 1
_LARGEST_EXPONENT: Final = 1_000  # what is beyond is no amount of anything, only a way to burn memory
_LONGEST: Final = 512  # characters

_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


class Family(Enum):
    """How a quantity was written."""

    BINARY = "BinarySI"
    DECIMAL = "DecimalSI"
    EXPONENT = "DecimalExponent"


_FACTORS: Final[dict[str, tuple[Fraction, Family]]] = {
    **{sign: (Fraction(10) ** power, Family.DECIMAL) for power, sign in _DECIMAL.items()},
    **{sign: (Fraction(1024) ** step, Family.BINARY) for step, sign in enumerate(_BINARY) if sign},
}

_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse(quantity: str | float) -> Fraction:
    """Return the exact amount.

    Raises:
        ValueError: it is no quantity; the text says why.
    """
    return _read(_text(quantity))[0]


def parse_in_family(quantity: str | float) -> tuple[Fraction, Family]:
    """Return the exact amount, and how it was written.

    Raises:
        ValueError: it is no quantity; the text says why.
    """
    return _read(_text(quantity))


def cpu_millicores(quantity: str | float) -> int:
    """Return thousandths of a core, rounded up."""
    return ceil(parse(quantity) * 1000)


def memory_bytes(quantity: str | float) -> int:
    """Return whole units (bytes, pods, devices), rounded up."""
    return ceil(parse(quantity))


def canonical(quantity: str | float) -> str:
    """Return a quantity in Kubernetes' canonical form.

    Raises:
        ValueError: it is no quantity.
    """
    return format_amount(*_read(_text(quantity)))


def format_amount(amount: Fraction, family: Family = Family.DECIMAL) -> str:
    """Return an amount (a multiple of a billionth) in canonical form."""
    if amount == 0:
        return "0"
    if family is Family.BINARY and abs(amount) >= 1024 and amount.denominator == 1:
        return _format_binary(amount.numerator)
    return _format_decimal(amount, family)


def _text(quantity: str | float) -> str:
    if isinstance(quantity, bool):
        raise ValueError(_RULE)  # noqa: TRY004 - one error for all that is no quantity
    return quantity if isinstance(quantity, str) else repr(quantity)


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Fraction, Family]:
    if len(text) > _LONGEST or not (form := _FORM.fullmatch(text)):
        raise ValueError(_RULE)
    sign, number, ending = form.groups()
    factor, family = _factor(ending)
    amount = _to_nano(Fraction(number) * factor)
    if family is Family.BINARY:
        amount = min(amount, Fraction(_BINARY_CAP))
    return (-amount if sign == "-" else amount), family


def _factor(ending: str) -> tuple[Fraction, Family]:
    if ending in _FACTORS:
        return _FACTORS[ending]
    if not (form := _EXPONENT.fullmatch(ending)):
        raise ValueError("unable to parse quantity's suffix" if _suffix_like(ending) else _RULE)
    exponent = int(form[1])
    if abs(exponent) > _LARGEST_EXPONENT:
        raise ValueError(f"the exponent of a quantity has to be within ±{_LARGEST_EXPONENT}")
    return Fraction(10) ** exponent, Family.EXPONENT


def _suffix_like(ending: str) -> bool:
    return re.fullmatch(r"[eEinumkKMGTP]*[-+]?[0-9]*", ending) is not None


def _to_nano(amount: Fraction) -> Fraction:
    """Round up to a billionth: who asks for some gets some."""
    return Fraction(ceil(amount * _NANO), _NANO)


def _format_binary(whole: int) -> str:
    step = 0
    while whole % 1024 == 0 and step < len(_BINARY) - 1:
        whole //= 1024
        step += 1
    return f"{whole}{_BINARY[step]}"


def _format_decimal(amount: Fraction, family: Family) -> str:
    mantissa, power = int(amount * _NANO), -9
    while mantissa % 1000 == 0:
        mantissa //= 1000
        power += 3
    if family is not Family.EXPONENT and power in _DECIMAL:
        return f"{mantissa}{_DECIMAL[power]}"
    return f"{mantissa}e{power}" if power else str(mantissa)
