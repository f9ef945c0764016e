"""AdmissionReview: what a webhook is sent, and what its answer means. Version v1, and v1beta1 for those that ask for it.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from apiserver.core.hooks.occasion import Form, Occasion, described
from apiserver.core.values import Json
from machinery.model.errors import ApiError, BadRequest, Cause, InternalError, Refused

GROUP: Final = "admission.k8s.io"
VERSIONS: Final = ("v1", "v1beta1")
_KIND: Final = "AdmissionReview"
_LEAST_REFUSAL: Final = 400
_GREATEST_CODE: Final = 599
_MOST_WARNINGS: Final = 100
_MOST_ANNOTATIONS: Final = 100
_PATCH_TYPE: Final = "JSONPatch"


class BadAnswer(ValueError):  # noqa: N818 - it names what was answered
    """A webhook's answer is none; the text says what is wrong with it."""


class _Response(msgspec.Struct):
    uid: str | None = None
    allowed: bool | None = None
    status: dict[str, Any] | None = None
    patch: str | None = None
    patchType: str | None = None
    auditAnnotations: dict[str, str] | None = None
    warnings: list[str] | None = None


class _Review(msgspec.Struct):
    apiVersion: str | None = None
    kind: str | None = None
    response: _Response | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook says."""

    is_allowed: bool
    status: Json | None = None
    patch: bytes = b""
    patch_type: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


_decoder: Final = msgspec.json.Decoder(_Review)


def version_for(hook: Json) -> str:
    """Return the first version of AdmissionReview that a webhook takes and is known here; "" for none."""
    wanted = hook.get("admissionReviewVersions") or ()
    return next((each for each in wanted if each in VERSIONS), "")


def review(
    version: str, uid: str, occasion: Occasion, form: Form, obj: Json | None, old: Json | None
) -> Json:
    """Return what is sent; the objects are in the version of `form`."""
    request = {
        **described(occasion, form, uid),
        "object": obj,
        "oldObject": old,
        "options": occasion.options or None,
    }
    return {"kind": _KIND, "apiVersion": f"{GROUP}/{version}", "request": request}


def read_answer(body: bytes, version: str, uid: str, *, mutates: bool) -> Answer:
    """Read what a webhook answers.

    Raises:
        BadAnswer: it does not answer the review.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"couldn't get version/kind; json parse error: {error}") from error
    answered = f"{found.apiVersion or ''}, Kind={found.kind or ''}"
    if answered != f"{GROUP}/{version}, Kind={_KIND}" and (version == "v1" or found.apiVersion or found.kind):
        raise BadAnswer(f"expected webhook response of {GROUP}/{version}, Kind={_KIND}, got {answered}")
    response = found.response
    if response is None:
        raise BadAnswer("webhook response was absent")
    if version == "v1" and response.uid != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.uid or ""}"')
    patch, patch_type = _patch_of(response, version, mutates=mutates)
    return Answer(
        bool(response.allowed),
        response.status,
        patch,
        patch_type,
        tuple((response.auditAnnotations or {}).items())[:_MOST_ANNOTATIONS],
        tuple(response.warnings or ())[:_MOST_WARNINGS],
    )


def _patch_of(response: _Response, version: str, *, mutates: bool) -> tuple[bytes, str]:
    has_patch, has_type = bool(response.patch), response.patchType is not None
    if version == "v1":
        _check_patch(response, has_patch=has_patch, has_type=has_type, mutates=mutates)
    if not has_patch or not mutates:
        return b"", ""
    try:
        return base64.b64decode(response.patch or "", validate=True), response.patchType or _PATCH_TYPE
    except (binascii.Error, ValueError) as error:
        raise BadAnswer(f"response.patch is not base64: {error}") from error


def _check_patch(response: _Response, *, has_patch: bool, has_type: bool, mutates: bool) -> None:
    if not mutates and has_patch:
        raise BadAnswer("validating webhook may not return response.patch")
    if not mutates and has_type:
        raise BadAnswer("validating webhook may not return response.patchType")
    if has_patch and not has_type:
        raise BadAnswer("webhook returned response.patch but not response.patchType")
    if has_type and not has_patch:
        raise BadAnswer("webhook returned response.patchType but not response.patch")
    if has_type and not response.patchType:
        raise BadAnswer('webhook returned invalid response.patchType of ""')
    if has_patch and response.patchType != _PATCH_TYPE:
        raise BadAnswer(f'unsupported patch type "{response.patchType}"')


def denial(name: str, status: Json | None) -> ApiError:
    """Return the error of a request that a webhook does not allow: in its words, with its code."""
    said = status or {}
    code, reason, message = said.get("code"), said.get("reason"), said.get("message")
    if not isinstance(code, int) or not _LEAST_REFUSAL <= code <= _GREATEST_CODE:
        code = _LEAST_REFUSAL
    denied = f'admission webhook "{name}" denied the request'
    if isinstance(message, str) and message:
        text = f"{denied}: {message}"
    elif isinstance(reason, str) and reason:
        text = f"{denied}: {reason}"
    else:
        text = f"{denied} without explanation"
    details = said.get("details")
    return Refused(
        text, code, reason if isinstance(reason, str) else "", details if isinstance(details, dict) else {}
    )


def no_dry_run(name: str) -> BadRequest:
    """Return the error of a dry run that a webhook cannot be asked about."""
    return BadRequest(f'admission webhook "{name}" does not support dry run')


def call_failed(name: str, why: str) -> InternalError:
    """Return the error of a webhook that did not answer, where the request has to fail then."""
    text = f'failed calling webhook "{name}": {why}'
    return InternalError(f"Internal error occurred: {text}", causes=(Cause("", text, ""),))
