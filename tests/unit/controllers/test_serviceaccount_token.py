"""Token Secrets of ServiceAccounts are filled, and go with their accounts."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from controllers.core.actions import Delete, Facts, Lookup, Patch
from controllers.core.caches import Caches
from controllers.core.controller import Settings
from controllers.serviceaccount_token import build
from controllers.serviceaccount_token.plan import Seen, plan
from machinery.model.k8s.core_v1 import Secret, ServiceAccount
from machinery.model.profile import intervals
from machinery.model.requests import EventType
from machinery.model.resources import SERVICE_ACCOUNTS
from machinery.model.store import Change
from machinery.model.tokens import ACCOUNT_NAME, ACCOUNT_UID
from tests.support.builders import changed, meta
from tests.support.controllers import moment, of_type

ACCOUNT = ServiceAccount(metadata=meta("robot", "apps"))
UID = ACCOUNT.metadata.uid


def secret(data: dict[str, str] | None = None, **annotations: str) -> Secret:
    notes = {ACCOUNT_NAME: "robot", **annotations}
    return Secret(metadata=meta("robot-token", "apps", annotations=notes), data=data or {})


def sign(claims: dict[str, Any]) -> str:
    return str(claims["sub"])


def test_an_empty_secret_is_filled() -> None:
    """With a token, the namespace, the CA, and the account's uid."""
    [patch] = of_type(plan(Seen(secret(), ACCOUNT, "PEM", sign), moment()), Patch)
    filled = {key: b64decode(text).decode() for key, text in patch.patch["data"].items()}
    assert filled == {"token": "system:serviceaccount:apps:robot", "namespace": "apps", "ca.crt": "PEM"}
    assert patch.patch["metadata"]["annotations"] == {ACCOUNT_UID: UID}


def test_what_is_there_stays() -> None:
    """Also where somebody has written it; what lacks comes."""
    whole = secret({"token": "YQ==", "namespace": "YQ==", "ca.crt": "YQ=="}, **{ACCOUNT_UID: UID})
    assert plan(Seen(whole, ACCOUNT, "PEM", sign), moment()).actions == ()
    [patch] = of_type(
        plan(Seen(changed(whole, data={"token": "YQ=="}), ACCOUNT, "PEM", sign), moment()), Patch
    )
    assert patch.patch["data"].keys() == {"namespace", "ca.crt"}


def test_a_secret_whose_account_is_gone_goes() -> None:
    """Once it is known for sure; another account of the name is not meant."""
    question = Lookup(SERVICE_ACCOUNTS, "apps", "robot")
    for seen, now, deleted in (
        (Seen(secret(), None, "", sign), None, 1),
        (Seen(secret(), None, "", sign), ACCOUNT.metadata, 0),
        (Seen(secret(**{ACCOUNT_UID: "old"}), ACCOUNT, "", sign), ACCOUNT.metadata, 1),
    ):
        assert plan(seen, moment()).needs == (question,)
        made = plan(seen, moment(), Facts({question: now}))
        assert len(of_type(made, Delete)) == deleted


def test_a_change_of_an_account_concerns_its_secrets() -> None:
    """And without a key nothing is looked at."""
    for key, looked in ((sign, True), (None, False)):
        controller = build(Caches(), Settings(intervals("default"), (), sign_token=key))
        secrets, accounts = controller.watched
        secrets.source.store.put(secret())
        accounts.source.store.put(ACCOUNT)
        assert list(accounts.keys(Change(EventType.DELETED, ACCOUNT, None))) == [("apps", "robot-token")]
        assert (controller.look(("apps", "robot-token"), moment()) is not None) is looked
