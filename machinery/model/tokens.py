"""Tokens of ServiceAccounts and of bootstrapping nodes: their names and claims, as apiserver and controllers know them.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
LEGACY_ISSUER: Final = "kubernetes/serviceaccount"  # of tokens that live in Secrets and do not expire
LEGACY_TYPE: Final = "kubernetes.io/service-account-token"
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"  # annotations of a Secret of that type
ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"
LAST_USED: Final = "kubernetes.io/legacy-token-last-used"  # labels of such a Secret: dates, of days of UTC
INVALID_SINCE: Final = "kubernetes.io/legacy-token-invalid-since"
TRACKING_NAMESPACE: Final = "kube-system"
TRACKING: Final = "kube-apiserver-legacy-service-account-token-tracking"  # a ConfigMap
TRACKED_SINCE: Final = "since"  # its key: the day from which on uses are noted
_DATE_LETTERS: Final = 10  # YYYY-MM-DD
_PREFIX: Final = "kubernetes.io/serviceaccount/"


class BadToken(ValueError):  # noqa: N818 - it names what there is
    """A token that proves nothing; the text says why."""


def legacy_claims(namespace: str, account: str, uid: str, secret: str) -> dict[str, Any]:
    """Write the claims of a token that lives in a Secret."""
    return {
        "iss": LEGACY_ISSUER,
        f"{_PREFIX}namespace": namespace,
        f"{_PREFIX}secret.name": secret,
        f"{_PREFIX}service-account.name": account,
        f"{_PREFIX}service-account.uid": uid,
        "sub": f"system:serviceaccount:{namespace}:{account}",
    }


def read_legacy_claims(claims: dict[str, Any]) -> tuple[str, str, str, str]:
    """Read (namespace, account, its uid, secret) from such claims.

    Raises:
        BadToken: they do not name an account and its Secret.
    """
    names = ("namespace", "service-account.name", "service-account.uid", "secret.name")
    found = [claims.get(f"{_PREFIX}{name}") for name in names]
    if not all(isinstance(each, str) and each for each in found):
        raise BadToken("the token names no ServiceAccount and Secret")
    namespace, account, uid, secret = (str(each) for each in found)
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{account}":
        raise BadToken("the token's subject is not its ServiceAccount")
    return namespace, account, uid, secret


def is_date(text: str) -> bool:
    """Whether a text is a day as the labels have it: YYYY-MM-DD."""
    try:
        return len(text) == _DATE_LETTERS and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
