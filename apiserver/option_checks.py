"""What both front doors check of a request's options, so that what one refuses the other refuses, with the same Status."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import field_errors
from apiserver.request import DeleteOptions, ListOptions
from machinery.model.errors import BadRequest, Cause, Invalid

_POLICIES: Final = ("Background", "Foreground", "Orphan")


def checked_selection(options: ListOptions) -> ListOptions:
    """Return the options, if they make sense.

    Raises:
        BadRequest: the limit is below 0.
    """
    if options.limit < 0:
        raise BadRequest(f"limit: {options.limit} is below 0")
    return options


def checked_deletion(options: DeleteOptions) -> DeleteOptions:
    """Return the options, with a negative grace period as Kubernetes takes it: as soon as possible.

    Raises:
        Invalid: there is no such propagation policy.
    """
    policy, grace_s = options.propagation_policy, options.grace_period_s
    if policy and policy not in _POLICIES:
        raise invalid_option(
            "DeleteOptions", field_errors.not_supported("propagationPolicy", policy, _POLICIES)
        )
    return replace(options, grace_period_s=1) if grace_s is not None and grace_s < 0 else options


def invalid_option(options_kind: str, cause: Cause) -> Invalid:
    """Return the error of an option with a value that it cannot have."""
    return field_errors.invalid_object(f"{options_kind}.meta.k8s.io", "", [cause])
