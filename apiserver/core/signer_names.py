"""Names of signers of certificates: example.com/signer-name.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#signers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apiserver.core import field_errors
from machinery.model import names
from machinery.model.errors import Cause

_LONGEST_DOMAIN: Final = names.SUBDOMAIN_LENGTH
_LONGEST: Final = _LONGEST_DOMAIN + 1 + names.SUBDOMAIN_LENGTH + names.LABEL_LENGTH + 1


def signer_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of a signer: a domain of at least two labels, and one segment behind it."""
    if not name:
        return [field_errors.required(path, "signerName must be provided")]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [field_errors.invalid(path, name, text)]
    found: list[Cause] = []
    if len(domain) > _LONGEST_DOMAIN:
        found.append(field_errors.too_long(path, _LONGEST_DOMAIN))
    found += _label_causes(domain, path, names.dns_label_errors)
    if "." not in domain:
        text = "should be a domain with at least two segments separated by dots"
        found.append(field_errors.invalid(path, domain, text))
    found += _label_causes(rest, path, names.dns_subdomain_errors)
    if len(name) > _LONGEST:
        found.append(field_errors.too_long(path, _LONGEST))
    return found


def _label_causes(text: str, path: str, errors_of: Callable[[str], list[str]]) -> list[Cause]:
    """Return what is wrong with the first label that is none."""
    for label in text.split("."):
        if errors := errors_of(label):
            return [
                field_errors.invalid(path, text, f'validating label "{label}": {error}') for error in errors
            ]
    return []
