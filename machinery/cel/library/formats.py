"""Named formats of strings: `format.dns1123Label().validate(text)`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from machinery.cel.errors import EvaluationError
from machinery.cel.library.urls import parse_url
from machinery.cel.overloads import function, method
from machinery.cel.types import STRING, abstract, list_of, optional_of
from machinery.cel.values import NONE, Optional, parse_timestamp
from machinery.model import names

FORMAT: Final = abstract("kubernetes.NamedFormat")

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FormatValue:
    """A format; `errors` says what is wrong with a text, nothing if it is right."""

    name: str
    errors: Callable[[str], list[str]]

    type_name = "kubernetes.NamedFormat"


def _prefix(errors: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Return the rule for what a name may begin with: a dash at its end is none of it yet."""
    return lambda text: errors(text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text)


def _read(reader: Callable[[str], object], message: str | None) -> Callable[[str], list[str]]:
    """Return the rule that a reader takes a text; its own words are the fault's where there is no message."""

    def errors(text: str) -> list[str]:
        try:
            reader(text)
        except (EvaluationError, ValueError, binascii.Error) as why:
            return [message or str(why).removeprefix("URL parse error during conversion from string: ")]
        return []

    return errors


def _uuid(text: str) -> list[str]:
    return [] if _UUID.fullmatch(text) else ["does not match the UUID format"]


def _date(text: str) -> date:
    if len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text)


_RULES: Final[dict[str, Callable[[str], list[str]]]] = {
    "dns1123Label": names.dns_label_errors,
    "dns1123Subdomain": names.dns_subdomain_errors,
    "dns1035Label": names.dns_1035_label_errors,
    "qualifiedName": names.label_key_errors,
    "dns1123LabelPrefix": _prefix(names.dns_label_errors),
    "dns1123SubdomainPrefix": _prefix(names.dns_subdomain_errors),
    "dns1035LabelPrefix": _prefix(names.dns_1035_label_errors),
    "labelValue": names.label_value_errors,
    "uri": _read(parse_url, None),
    "uuid": _uuid,
    "byte": _read(lambda text: base64.b64decode(text, validate=True), "invalid base64"),
    "date": _read(_date, "invalid date"),
    "datetime": _read(parse_timestamp, "invalid datetime"),
}
_FORMATS: Final = {name: FormatValue(name, errors) for name, errors in _RULES.items()}


def _validate(one: FormatValue, text: str) -> Optional:
    errors = one.errors(text)
    return Optional(present=True, value=errors) if errors else NONE


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(present=True, value=found)


def _constant(one: FormatValue) -> Callable[[], FormatValue]:
    return lambda: one


FUNCTIONS: Final = (
    method("validate", (FORMAT, STRING), optional_of(list_of(STRING)), _validate),
    function("format.named", (STRING,), optional_of(FORMAT), _named),
    *(function(f"format.{name}", (), FORMAT, _constant(one)) for name, one in _FORMATS.items()),
)
