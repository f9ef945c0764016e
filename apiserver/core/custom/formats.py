"""The formats of strings that schemas may name: who calls is told whether a text has the format.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
Names are compared without hyphens, as Kubernetes does; a format that is not here is no check (`is_known`).
Every check takes time linear in the text.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final

from apiserver.core import timestamps
from machinery.model import names, quantity

_HEX12 = "[0-9a-f]{12}"
_UUID: Final = re.compile(
    rf"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?[0-9a-f]{{4}}-?[0-9a-f]{{4}}-?{_HEX12}", re.IGNORECASE | re.ASCII
)
_UUID3: Final = re.compile(
    rf"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?3[0-9a-f]{{3}}-?[0-9a-f]{{4}}-?{_HEX12}", re.IGNORECASE | re.ASCII
)
_UUID4: Final = re.compile(
    rf"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?4[0-9a-f]{{3}}-?[89ab][0-9a-f]{{3}}-?{_HEX12}", re.IGNORECASE | re.ASCII
)
_UUID5: Final = re.compile(
    rf"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?5[0-9a-f]{{3}}-?[89ab][0-9a-f]{{3}}-?{_HEX12}", re.IGNORECASE | re.ASCII
)
_DURATION: Final = re.compile(r"[-+]?((\d++(\.\d*+)?|\.\d++)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_SCALA_DURATION: Final = re.compile(
    r"\d++ ?(ns|nanos?|nanoseconds?|us|µs|μs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?"
    r"|m|mins?|minutes?|h|hr|hours?|d|days?|w|wk|weeks?)",
    re.ASCII,
)
_MAC: Final = re.compile(
    r"([0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{2}([:-][0-9a-f]{2}){7}|[0-9a-f]{2}([:-][0-9a-f]{2}){19}"
    r"|[0-9a-f]{4}(\.[0-9a-f]{4}){2}|[0-9a-f]{4}(\.[0-9a-f]{4}){3}|[0-9a-f]{4}(\.[0-9a-f]{4}){9})",
    re.IGNORECASE | re.ASCII,
)
_HEX_COLOR: Final = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE | re.ASCII)
_BYTE = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_RGB_COLOR: Final = re.compile(rf"rgb\({_BYTE},{_BYTE},{_BYTE}\)", re.ASCII)
_SSN: Final = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}", re.ASCII)
_CARD: Final = re.compile(
    r"4\d{12}(\d{3})?|5[1-5]\d{14}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11}",
    re.ASCII,
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BSON: Final = re.compile(r"[0-9a-f]{24}", re.IGNORECASE | re.ASCII)
_URI: Final = re.compile(
    r"([a-z][a-z0-9+.-]*:[^\s\x00-\x1f\x7f]*|/[^\s\x00-\x1f\x7f]*)", re.IGNORECASE | re.ASCII
)
_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\\\"]+@[^\s@<>()\[\],;:\\\"]+")
_HOST_LABEL: Final = re.compile(r"[^\W_]([^\W_]|-)*", re.UNICODE)
_NON_DIGITS: Final = re.compile(r"[^0-9]+")


def is_known(name: str) -> bool:
    """Whether strings of this format are checked."""
    return _plain(name) in _CHECKS


def has_format(name: str, text: str) -> bool:
    """Whether a text has a format; it has every one that is not known."""
    check = _CHECKS.get(_plain(name))
    return check is None or check(text)


def _plain(name: str) -> str:
    return name.replace("-", "")


def _matches(form: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: form.fullmatch(text) is not None


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _cidr(text: str) -> object:
    address, slash, prefix = text.partition("/")
    if not slash or not (prefix.isascii() and prefix.isdigit()) or (len(prefix) > 1 and prefix[0] == "0"):
        raise ValueError(text)
    return ipaddress.ip_network(f"{ipaddress.ip_address(address)}/{prefix}", strict=False)


def _ipv6(text: str) -> object:
    if "%" in text:  # a zone is no part of an address
        raise ValueError(text)
    return ipaddress.IPv6Address(text)


def _is_base64(text: str) -> bool:
    if not text or len(text) % 4:
        return False
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _reads(date.fromisoformat)(text)


def _is_duration(text: str) -> bool:
    return text in {"0", "+0", "-0"} or bool(_DURATION.fullmatch(text) or _SCALA_DURATION.fullmatch(text))


def _is_hostname(text: str) -> bool:
    labels = text.split(".")
    if not text or len(text) > 255 or any(len(label.encode()) > 63 for label in labels):
        return False
    return all(_HOST_LABEL.fullmatch(label) and not label.endswith("-") for label in labels)


def _is_isbn10(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if (
        len(digits) != 10
        or not digits.isascii()
        or not digits[:9].isdigit()
        or digits[9] not in "0123456789X"
    ):
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum((index + 1) * value for index, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if len(digits) != 13 or not (digits.isascii() and digits.isdigit()):
        return False
    return sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10 == 0


def _is_card(text: str) -> bool:
    digits = _NON_DIGITS.sub("", text)
    if not _CARD.fullmatch(digits):
        return False
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_long_name(text: str) -> bool:
    return not names.dns_subdomain_errors(text)


def _is_short_name(text: str) -> bool:
    return not names.dns_label_errors(text)


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matches(_BSON),
    "uri": _matches(_URI),
    "email": _matches(_EMAIL),
    "hostname": _is_hostname,
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": _reads(_ipv6),
    "cidr": _reads(_cidr),
    "mac": _matches(_MAC),
    "uuid": _matches(_UUID),
    "uuid3": _matches(_UUID3),
    "uuid4": _matches(_UUID4),
    "uuid5": _matches(_UUID5),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_card,
    "ssn": _matches(_SSN),
    "hexcolor": _matches(_HEX_COLOR),
    "rgbcolor": _matches(_RGB_COLOR),
    "byte": _is_base64,
    "password": lambda _text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _reads(timestamps.time),
    "quantity": _reads(quantity.canonical),
    "k8sshortname": _is_short_name,
    "k8slongname": _is_long_name,
}
