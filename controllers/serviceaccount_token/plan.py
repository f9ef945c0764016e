"""Plan for one Secret of a ServiceAccount."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, Lookup, Plan, delete
from controllers.core.controller import SignToken
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import Secret, ServiceAccount
from machinery.model.resources import SECRETS, SERVICE_ACCOUNTS
from machinery.model.tokens import ACCOUNT_NAME, ACCOUNT_UID, legacy_claims


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    secret: Secret  # that names an account
    account: ServiceAccount | None
    root_ca: str  # PEM; "" for none
    sign: SignToken


def account_of(secret: Secret) -> str:
    """Return the account that a Secret names; "" where it names none."""
    return secret.metadata.annotations.get(ACCOUNT_NAME, "")


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan to fill the Secret of an account that is there, and to delete that of one that is gone."""
    secret, account = seen.secret, seen.account
    wanted = secret.metadata.annotations.get(ACCOUNT_UID, "")
    if account is not None and wanted in {"", account.metadata.uid}:
        return _filled(seen, account)
    question = Lookup(SERVICE_ACCOUNTS, secret.metadata.namespace, account_of(secret))
    if question not in facts.objects:
        return Plan(needs=(question,))
    now = facts.objects[question]
    if now is not None and wanted in {"", now.uid}:
        return NOTHING_TO_DO  # the cache will show it
    return Plan((delete(SECRETS, secret, resource_version=secret.metadata.resourceVersion),))


def _filled(seen: Seen, account: ServiceAccount) -> Plan:
    meta, data = seen.secret.metadata, seen.secret.data
    lacking = {
        key: b64encode(text.encode()).decode()
        for key, text in (("ca.crt", seen.root_ca), ("namespace", meta.namespace))
        if text and not data.get(key)
    }
    if not data.get("token"):
        claims = legacy_claims(meta.namespace, account.metadata.name, account.metadata.uid, meta.name)
        lacking["token"] = b64encode(seen.sign(claims).encode()).decode()
    patch: dict[str, object] = {"data": lacking} if lacking else {}
    if meta.annotations.get(ACCOUNT_UID) != account.metadata.uid:
        patch["metadata"] = {"annotations": {ACCOUNT_UID: account.metadata.uid}}
    return Plan((patch_at_revision(SECRETS, seen.secret, patch),)) if patch else NOTHING_TO_DO
