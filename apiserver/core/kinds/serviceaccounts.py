"""ServiceAccounts. https://kubernetes.io/docs/concepts/security/service-accounts/"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource
from machinery.model import names

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
)
