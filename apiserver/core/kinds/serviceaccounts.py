"""ServiceAccounts.

https://kubernetes.io/docs/concepts/security/service-accounts/
Tokens are asked for at the subresource `token`; Secrets with tokens are no longer made (KEP-2799).
"""

from __future__ import annotations

from typing import Final

from apiserver.core.rules import Prepare, Rules, WriteContext
from apiserver.core.table import configuration as table
from apiserver.core.values import Json, metadata

_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"


def _named_secrets(obj: Json) -> Json:
    """Keep of `secrets` the names: they are in the account's own namespace."""
    if "secrets" not in obj:
        return obj
    return {**obj, "secrets": [{"name": secret.get("name", "")} for secret in obj["secrets"]]}


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return _named_secrets(obj)


def _prepare_update(new: Json, _old: Json, _context: WriteContext) -> Json:
    return _named_secrets(new)


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    if _MOUNTABLE not in (metadata(new).get("annotations") or {}):
        return ()
    text = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return (f"metadata.annotations[{_MOUNTABLE}]: {text}",)


RULES: Final = Rules(
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    deletion_returns_object=True,
    warnings=_warnings,
    table=table.SERVICE_ACCOUNTS,
)
