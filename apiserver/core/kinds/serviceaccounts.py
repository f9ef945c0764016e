"""ServiceAccounts.

https://kubernetes.io/docs/concepts/security/service-accounts/
Tokens are asked for at the subresource `token`; Secrets with tokens are no longer made (KEP-2799).
"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource, WriteContext
from apiserver.core.values import Json
from machinery.model import names


def _named_secrets(obj: Json) -> Json:
    """Keep of `secrets` the names: they are in the account's own namespace."""
    if "secrets" not in obj:
        return obj
    return {**obj, "secrets": [{"name": secret.get("name", "")} for secret in obj["secrets"]]}


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return _named_secrets(obj)


def _prepare_update(new: Json, _old: Json, _context: WriteContext) -> Json:
    return _named_secrets(new)


SERVICE_ACCOUNTS = Kind(
    group="",
    version="v1",
    plural="serviceaccounts",
    singular="serviceaccount",
    kind="ServiceAccount",
    definition="io.k8s.api.core.v1.ServiceAccount",
    namespaced=True,
    storage_prefix="/registry/serviceaccounts",
    short_names=("sa",),
    subresources={"token": Subresource("TokenRequest", "authentication.k8s.io", "v1", ("create",))},
    name_errors=names.dns_subdomain_errors,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
)
