"""CertificateSigningRequests: who asked for a certificate, what was decided, and the certificate.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from apiserver.core import field_errors
from apiserver.core.certificate_requests import certificates_error, request_error
from apiserver.core.key_usages import KEY_USAGES
from apiserver.core.rules import PartUpdate, Prepare, Rules, Validate, WriteContext, name_field
from apiserver.core.signer_names import signer_name_causes
from apiserver.core.table import certificates as table
from apiserver.core.values import Json, kept, spec
from machinery.model import names
from machinery.model.errors import Cause

_LEGACY: Final = "kubernetes.io/legacy-unknown"
_SHORTEST_S: Final = 600
_DECIDED: Final = ("Approved", "Denied")
_LASTING: Final = ("Approved", "Denied", "Failed")  # such a condition holds, and stays
_STATUSES: Final = frozenset({"False", "True", "Unknown"})
_USAGES: Final = frozenset(KEY_USAGES)


def _prepare_create(obj: Json, context: WriteContext) -> Json:
    """Write down who asks; nothing is decided yet."""
    own = {
        key: value for key, value in spec(obj).items() if key not in {"username", "uid", "groups", "extra"}
    }
    user = context.user
    if user is not None:
        asked = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }
        own.update((key, value) for key, value in asked.items() if value)
    return {**obj, "spec": own, "status": {}}


def _prepare_update(new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep everything but the metadata: the rest has paths of its own."""
    return kept(new, old, "spec", "status")


def _prepare_status(new: Json, old: Json, context: WriteContext) -> Json:
    """Keep what was decided: that has a path of its own."""
    status = _timed(new.get("status") or {}, old, context.now)
    before = {each["type"]: each for each in _conditions(old) if each.get("type") in _DECIDED}
    conditions = [before.pop(each.get("type"), each) for each in status.get("conditions") or []]
    conditions += before.values()
    if conditions:
        status = {**status, "conditions": conditions}
    return _with_status(new, old, status)


def _prepare_approval(new: Json, old: Json, context: WriteContext) -> Json:
    """Write the conditions, and nothing else."""
    given = _timed(new.get("status") or {}, old, context.now)
    status = kept(old.get("status") or {}, given, "conditions")
    return _with_status(new, old, status)


def _with_status(new: Json, old: Json, status: Json) -> Json:
    return {**old, "metadata": new["metadata"], "status": status}


def _conditions(obj: Json) -> list[Json]:
    return (obj.get("status") or {}).get("conditions") or []


def _timed(status: Json, old: Json, now: str) -> Json:
    """Say when each condition was written, and since when it holds."""
    since = {
        (each.get("type"), each.get("status")): each["lastTransitionTime"]
        for each in reversed(_conditions(old))
        if each.get("lastTransitionTime")
    }
    conditions = [
        {
            **condition,
            "lastUpdateTime": condition.get("lastUpdateTime") or now,
            "lastTransitionTime": condition.get("lastTransitionTime")
            or since.get((condition.get("type"), condition.get("status")), now),
        }
        for condition in status.get("conditions") or []
    ]
    return {**status, "conditions": conditions} if conditions else status


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found: list[Cause] = []
    if problem := request_error(_bytes(own.get("request", ""))):
        found.append(field_errors.invalid("spec.request", own.get("request", ""), problem))
    found += _usage_causes(own.get("usages") or [], "spec.usages")
    signer = own.get("signerName", "")
    if signer == _LEGACY:
        text = "the legacy signerName is not allowed via this API version"
        found.append(field_errors.invalid("spec.signerName", signer, text))
    else:
        found += signer_name_causes(signer, "spec.signerName")
    if (life_s := own.get("expirationSeconds", _SHORTEST_S)) < _SHORTEST_S:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(field_errors.invalid("spec.expirationSeconds", life_s, text))
    return found


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


def _usage_causes(usages: list[str], path: str) -> list[Cause]:
    if not usages:
        return [field_errors.required(path, "usages must be provided")]
    found = [
        cause
        for index, usage in enumerate(usages)
        for cause in field_errors.one_of(f"{path}[{index}]", usage, _USAGES)
    ]
    again = field_errors.repeated(usages)
    return found + [field_errors.duplicate(f"{path}[{index}]", usages[index]) for index in again]


def _status_causes(status: Json, old: Json) -> list[Cause]:
    conditions = status.get("conditions") or []
    found = _condition_causes(conditions, "status.conditions")
    before = [each.get("type") for each in _conditions(old)]
    now = [each.get("type") for each in conditions]
    for type_ in _LASTING:
        if now.count(type_) < before.count(type_):
            text = f'updates may not remove a condition of type "{type_}"'
            found.append(field_errors.forbidden("status.conditions", text))
    return found


def _condition_causes(conditions: list[Json], path: str) -> list[Cause]:
    types = [each.get("type", "") for each in conditions]
    again = set(field_errors.repeated(types))
    found: list[Cause] = []
    for index, condition in enumerate(conditions):
        where, type_ = f"{path}[{index}]", types[index]
        if not type_:
            found.append(field_errors.required(f"{where}.type"))
        allowed = frozenset({"True"}) if type_ in _LASTING else _STATUSES
        status = condition.get("status", "")
        found += field_errors.required_one_of(f"{where}.status", status, allowed)
        if type_ in _DECIDED and set(_DECIDED) - {type_} & set(types[:index]):
            text = "Approved and Denied conditions are mutually exclusive"
            found.append(field_errors.invalid(f"{where}.type", type_, text))
        if index in again:
            found.append(field_errors.duplicate(f"{where}.type", type_))
    return found


def _validate_status(new: Json, old: Json) -> list[Cause]:
    status, before = new.get("status") or {}, old.get("status") or {}
    found = _status_causes(status, old)
    had = {each.get("type") for each in _conditions(old)}
    for condition in status.get("conditions") or []:
        if condition.get("type") in _DECIDED and condition.get("type") not in had:
            text = f'updates may not add a condition of type "{condition["type"]}"'
            found.append(field_errors.forbidden("status.conditions", text))
    certificate = status.get("certificate", "")
    if problem := certificates_error(_bytes(certificate)):
        found.append(field_errors.invalid("status.certificate", "<certificate data>", problem))
    if before.get("certificate") and certificate != before["certificate"]:
        text = "updates may not modify existing certificate content"
        found.append(field_errors.forbidden("status.certificate", text))
    return found


def _validate_approval(new: Json, old: Json) -> list[Cause]:
    return _status_causes(new.get("status") or {}, old)


def _fields(obj: Json) -> dict[str, str]:
    return {**name_field(obj), "spec.signerName": spec(obj).get("signerName", "")}


RULES: Final = Rules(
    name_errors=names.path_segment_errors,
    prepare=Prepare(create=_prepare_create, update=_prepare_update, status=_prepare_status),
    validate=Validate(create=_validate, status=_validate_status),
    parts={"approval": PartUpdate(_prepare_approval, _validate_approval)},
    fields=_fields,
    table=table.CERTIFICATE_SIGNING_REQUESTS,
)
