"""References to objects by kind and name, and names of the form acme.io/foo."""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_HTTP_PATH: Final = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"


def segment_causes(reference: Json, path: str, *, field: str, detail: str = "") -> list[Cause]:
    """Check a field that has to be there and to be one segment of a URL's path."""
    value = reference.get(field, "")
    if not value:
        return [field_errors.required(f"{path}.{field}", detail)]
    return field_errors.each_invalid(f"{path}.{field}", value, names.path_segment_errors(value))


def local_reference_causes(reference: Json, path: str) -> list[Cause]:
    """Check a reference to an object of any group."""
    found: list[Cause] = []
    if "apiGroup" in reference:
        group = reference["apiGroup"]
        found += field_errors.each_invalid(f"{path}.apiGroup", group, names.dns_subdomain_errors(group))
    for field in ("kind", "name"):
        found += segment_causes(reference, path, field=field, detail=f"{field} is required")
    return found


def domain_path_causes(text: str, path: str) -> list[Cause]:
    """Check a name with a domain before it, like acme.io/foo."""
    if not text:
        return [field_errors.required(path)]
    domain, _, rest = text.partition("/")
    if not domain or not rest:
        return [field_errors.invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    found = field_errors.each_invalid(path, domain, names.dns_subdomain_errors(domain))
    if not re.fullmatch(_HTTP_PATH, rest):
        detail = f"Invalid path (regex used for validation is '{_HTTP_PATH}')"
        found.append(field_errors.invalid(path, rest, detail))
    return found
