"""Names: which ones the API takes, and how generated ones are made.

The messages are those that users of kubectl know.
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeAlias

SAFE_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no 0, 1, 3: no words, no look-alikes
LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
    "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{_LABEL}')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    f"validation is '{_LABEL_1035}')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN}')"
)
_WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    rf"regex used for validation is '\*\.{_SUBDOMAIN}')"
)
_NAME_PART_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    f"validation is '{_VALUE}')"
)
_CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    f"'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)


_Check: TypeAlias = Callable[[str], list[str]]
_REMEMBERED: Final = 512  # texts of each rule: objects have the same ones again and again


def _remembering(check: _Check) -> _Check:
    """Return a check that remembers what it said of texts that are not too long."""
    kept = lru_cache(maxsize=_REMEMBERED)(lambda text: tuple(check(text)))

    @wraps(check)
    def remembered(text: str) -> list[str]:
        return list(kept(text)) if len(text) <= SUBDOMAIN_LENGTH else check(text)

    return remembered


@_remembering
def dns_label_errors(text: str) -> list[str]:
    """Return what keeps a text from being an RFC 1123 label (at most 63 characters)."""
    errors = _errors(text, _LABEL, _LABEL_TEXT, LABEL_LENGTH)
    if errors and errors[-1] == _LABEL_TEXT and "." in text and re.fullmatch(_SUBDOMAIN, text):
        errors[-1] = "must not contain dots"  # it is a subdomain
    return errors


def dns_1035_label_errors(text: str) -> list[str]:
    """Return what keeps a text from being an RFC 1035 label, which starts with a letter."""
    return _errors(text, _LABEL_1035, _LABEL_1035_TEXT, LABEL_LENGTH)


@_remembering
def dns_subdomain_errors(text: str) -> list[str]:
    """Return what keeps a text from being an RFC 1123 subdomain (labels with dots, at most 253 characters)."""
    return _errors(text, _SUBDOMAIN, _SUBDOMAIN_TEXT, SUBDOMAIN_LENGTH)


def wildcard_errors(text: str) -> list[str]:
    """Return what keeps a text from being a subdomain behind "*.", as hosts of Ingresses may be."""
    return _errors(text, rf"\*\.{_SUBDOMAIN}", _WILDCARD_TEXT, SUBDOMAIN_LENGTH)


def path_segment_errors(text: str) -> list[str]:
    """Return what keeps a text from being one segment of a URL's path (names of RBAC objects)."""
    if text in {".", ".."}:
        return [f"may not be '{text}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in text]


@_remembering
def label_key_errors(text: str) -> list[str]:
    """Return what keeps a text from being a key of labels, annotations, taints or extended resources."""
    parts = text.split("/")
    if len(parts) > 2:
        return [_NAME_PART_TEXT.replace("name part", "a qualified name") + _PREFIX_HINT]
    name = parts[-1]
    return [*(_prefix_errors(parts[0]) if len(parts) == 2 else ()), *_name_part_errors(name)]


@_remembering
def label_value_errors(text: str) -> list[str]:
    """Return what keeps a text from being a label's value: empty, or at most 63 characters."""
    return _errors(text, _VALUE, _VALUE_TEXT, LABEL_LENGTH)


def config_key_errors(text: str) -> list[str]:
    """Return what keeps a text from being a key in a ConfigMap or Secret (also a file's name)."""
    if text in {".", ".."}:
        return [f"must not be '{text}'"]
    if text.startswith(".."):
        return ["must not start with '..'"]
    return _errors(text, _CONFIG_KEY, _CONFIG_KEY_TEXT, SUBDOMAIN_LENGTH)


def env_name_errors(text: str) -> list[str]:
    """Return what keeps a text from being an environment variable's name: printable ASCII without '='."""
    if not text:
        return ["environment variable name must be non-empty"]
    if any(not " " <= sign <= "~" or sign == "=" for sign in text):
        return [
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        ]
    return []


def port_name_errors(text: str) -> list[str]:
    """Return what keeps a text from being a port's name (RFC 6335: at most 15 of [a-z0-9-], one letter)."""
    errors = []
    if len(text) > 15:
        errors.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def suffix(random_ints: Callable[[int], int], length: int = 5) -> str:
    """Return a random ending for a generated name; `random_ints(n)` draws from [0, n)."""
    return "".join(SAFE_ALPHABET[random_ints(len(SAFE_ALPHABET))] for _ in range(length))


def generated(prefix: str, random_ints: Callable[[int], int]) -> str:
    """Return the name for a generateName: the prefix, cut where both would exceed 63 characters, and a suffix."""
    return prefix[: LABEL_LENGTH - 5] + suffix(random_ints)


def template_hash(data: bytes) -> str:
    """Return the pod-template-hash of an encoded template: 32-bit FNV-1a, its digits in the safe alphabet."""
    digest = _FNV_OFFSET
    for byte in data:
        digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return _in_safe_alphabet(digest)


def revision_hash(data: bytes) -> str:
    """Return the hash of a ControllerRevision's encoded data: 32-bit FNV-1, its digits in the safe alphabet."""
    digest = _FNV_OFFSET
    for byte in data:
        digest = digest * _FNV_PRIME & 0xFFFFFFFF ^ byte
    return _in_safe_alphabet(digest)


def _in_safe_alphabet(digest: int) -> str:
    return "".join(SAFE_ALPHABET[ord(digit) % len(SAFE_ALPHABET)] for digit in str(digest))


_FNV_OFFSET: Final = 2166136261
_FNV_PRIME: Final = 16777619
_PREFIX_HINT = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"


def _prefix_errors(prefix: str) -> list[str]:
    if not prefix:
        return ["prefix part must be non-empty"]
    return [f"prefix part {error}" for error in dns_subdomain_errors(prefix)]


def _name_part_errors(name: str) -> list[str]:
    errors = [] if name else ["name part must be non-empty"]
    if len(name) > LABEL_LENGTH:
        errors.append(f"name part {_too_long(LABEL_LENGTH)}")
    if not re.fullmatch(_QUALIFIED, name):
        errors.append(_NAME_PART_TEXT)
    return errors


def _errors(text: str, pattern: str, message: str, longest: int) -> list[str]:
    errors = [_too_long(longest)] if len(text) > longest else []
    # A text far beyond the limit is not matched: it is wrong already, and matching it costs time.
    if len(text) <= 4 * SUBDOMAIN_LENGTH and not re.fullmatch(pattern, text):
        errors.append(message)
    return errors


def _too_long(longest: int) -> str:
    return f"must be no more than {longest} characters"
