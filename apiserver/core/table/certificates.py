"""CertificateSigningRequests."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.ages import human_duration
from apiserver.core.table.table import AGE, NAME, NONE, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, spec


def _request(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    life_s = own.get("expirationSeconds")
    return [
        name(obj),
        age(obj, moment),
        own.get("signerName") or NONE,
        own.get("username", ""),
        NONE if life_s is None else human_duration(life_s),
        _state(obj.get("status") or {}),
    ]


def _state(status: Json) -> str:
    """Write what was decided, and what came of it."""
    types = {each.get("type") for each in status.get("conditions") or ()}
    decided = next((each for each in ("Denied", "Approved") if each in types), "Pending")
    failed = ",Failed" if "Failed" in types else ""
    return f"{decided}{failed}{',Issued' if status.get('certificate') else ''}"


CERTIFICATE_SIGNING_REQUESTS: Final = Table(
    (
        NAME,
        AGE,
        Column("SignerName", description="Who is to sign it."),
        Column("Requestor", description="Who asked for it."),
        Column("RequestedDuration", description="How long the certificate is to be valid."),
        Column("Condition", description="What was decided, and what came of it."),
    ),
    _request,
)
