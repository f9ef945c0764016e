"""Plan for one Secret with a legacy token: it stays, is marked as invalid, or goes.

Dates are whole days of UTC, as they stand in labels; a day counts to its end. The period is in cluster seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Documents, Facts, Part, Plan, Refusal, delete
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.legacy_serviceaccount_token_cleaner.references import secrets_of
from machinery.model.json_objects import Json
from machinery.model.k8s.core_v1 import Secret
from machinery.model.resources import CONFIG_MAPS, PODS, SECRETS, SERVICE_ACCOUNTS
from machinery.model.tokens import (
    ACCOUNT_NAME,
    ACCOUNT_UID,
    INVALID_SINCE,
    LAST_USED,
    TRACKED_SINCE,
    TRACKING,
    TRACKING_NAMESPACE,
    is_date,
)

LOOK_S: Final = 24 * 3600.0  # cluster seconds until a Secret that stays for another reason is looked at again
_DAY_S: Final = 24 * 3600.0  # wall seconds
_TRACKING: Final = Part("", "v1", CONFIG_MAPS.plural, TRACKING_NAMESPACE, TRACKING)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    secret: Secret
    period_s: float  # cluster seconds without any use, before the mark and again before the end


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan to mark a token that nobody has used for a period, and to delete it a period later."""
    meta = seen.secret.metadata
    name, last_used = meta.annotations.get(ACCOUNT_NAME, ""), meta.labels.get(LAST_USED)
    if not name or meta.deletionTimestamp or (last_used is not None and not is_date(last_used)):
        return NOTHING_TO_DO  # nobody knows when it was used, or whose it is
    left_s = max(_left_of(seen, moment), 0.0 if last_used is None else _left_since(last_used, seen, moment))
    if left_s > 0:
        return Plan(requeue_after_s=left_s)
    account = Part("", "v1", SERVICE_ACCOUNTS.plural, meta.namespace, name)
    if not {account, _TRACKING} <= facts.answers.keys():
        return Plan(needs=(account, _TRACKING))
    if not _is_generated(seen.secret, facts.answers[account]):
        return Plan(requeue_after_s=LOOK_S)
    left_s = _until_tracked(seen, moment, facts.answers[_TRACKING])
    return Plan(requeue_after_s=left_s) if left_s > 0 else _unused(seen, moment, facts)


def _unused(seen: Seen, moment: Moment, facts: Facts) -> Plan:
    """Plan for a generated token that was not used while uses were noted."""
    meta = seen.secret.metadata
    pods = Documents(PODS, meta.namespace)
    if pods not in facts.documents:
        return Plan(needs=(pods,))
    if any(meta.name in secrets_of(pod) for pod in facts.documents[pods]):
        return Plan(requeue_after_s=LOOK_S)
    invalid_since = meta.labels.get(INVALID_SINCE, "")
    if not is_date(invalid_since):
        mark = {"metadata": {"labels": {INVALID_SINCE: moment.text[:10]}}}
        return Plan((patch_at_revision(SECRETS, seen.secret, mark),))
    left_s = _left_since(invalid_since, seen, moment)
    if left_s > 0:
        return Plan(requeue_after_s=left_s)
    return Plan((delete(SECRETS, seen.secret, resource_version=meta.resourceVersion),))


def _left_of(seen: Seen, moment: Moment) -> float:
    """Return for how long a Secret is too new."""
    made_s = moment.at(seen.secret.metadata.creationTimestamp)
    return (moment.now_s if made_s is None else made_s) + seen.period_s - moment.now_s


def _left_since(date: str, seen: Seen, moment: Moment) -> float:
    """Return how much of a period is left that begins when a day is over."""
    over_s = moment.timescale.parse(f"{date}T00:00:00Z") + moment.timescale.cluster(_DAY_S)
    return over_s + seen.period_s - moment.now_s


def _until_tracked(seen: Seen, moment: Moment, found: Json | Refusal) -> float:
    """Return when uses will have been noted for long enough; where nobody notes them, when to ask again."""
    since = "" if isinstance(found, Refusal) else (found.get("data") or {}).get(TRACKED_SINCE, "")
    return _left_since(since, seen, moment) if is_date(since) else LOOK_S


def _is_generated(secret: Secret, found: Json | Refusal) -> bool:
    """Whether an account is the one of a Secret, and names it: others were made by somebody, and stay."""
    uid = secret.metadata.annotations.get(ACCOUNT_UID, "")
    if isinstance(found, Refusal) or uid not in {"", found["metadata"]["uid"]}:
        return False
    return any(each.get("name") == secret.metadata.name for each in found.get("secrets") or ())
