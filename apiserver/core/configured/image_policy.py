"""The configuration of ImagePolicyWebhook: whom it asks, and how long answers are remembered.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#imagepolicywebhook
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from apiserver.core.configured.documents import BadDocument, Configured, convert

_DISABLED: Final = -1
_NAMES: Final = {
    "kube_config_file": "kubeConfigFile",
    "allow_ttl": "allowTTL",
    "deny_ttl": "denyTTL",
    "retry_backoff": "retryBackoff",
    "default_allow": "defaultAllow",
}


@dataclass(frozen=True, slots=True)
class ImagePolicySettings:
    """What follows from it."""

    kubeconfig_file: str
    allow_ttl_s: float  # wall seconds, as below; 0: no answer is remembered
    deny_ttl_s: float
    retry_backoff_s: float
    default_allow: bool  # what holds where the server cannot be asked


class _ImagePolicy(Configured, frozen=True, kw_only=True, rename=_NAMES.get):
    kube_config_file: str = ""
    allow_ttl: int = 0
    deny_ttl: int = 0
    retry_backoff: int = 0
    default_allow: bool = False


class _Document(Configured, frozen=True, kw_only=True):
    image_policy: _ImagePolicy


def read_image_policy(document: Any) -> ImagePolicySettings:
    """Read the configuration.

    Raises:
        BadDocument: a field is wrong.
    """
    if not isinstance(document, dict):
        raise BadDocument("this is no configuration of ImagePolicyWebhook")
    found = convert(document, _Document).image_policy
    if not found.kube_config_file:
        raise BadDocument("imagePolicy.kubeConfigFile: is needed")
    return ImagePolicySettings(
        found.kube_config_file,
        _duration_s("allowTTL", found.allow_ttl, 1.0, 300.0, 1.0, 1800.0),
        _duration_s("denyTTL", found.deny_ttl, 1.0, 30.0, 1.0, 1800.0),
        _duration_s("retryBackoff", found.retry_backoff, 1e-3, 0.5, 1e-9, 300.0),
        found.default_allow,
    )


def _duration_s(
    name: str, given: int, unit_s: float, default_s: float, above_s: float, most_s: float
) -> float:
    """Return a number of units as seconds: 0 is the default, -1 is none at all."""
    if given == _DISABLED:
        return 0.0
    if given == 0:
        return default_s
    found_s = given * unit_s
    if not above_s < found_s <= most_s:
        raise BadDocument(
            f"imagePolicy.{name}: valid value is between {above_s:g}s and {most_s:g}s, got {found_s:g}s"
        )
    return found_s
