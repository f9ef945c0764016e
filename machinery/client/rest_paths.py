"""Where requests go in Kubernetes' REST API, and how their options are written."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from machinery.client.field_manager import field_manager
from machinery.client.transport import ApiRequest
from machinery.model.k8s import meta_v1
from machinery.model.requests import DeleteOptions
from machinery.wire import objects

_PATH: Final = "/:@!$&'()*+,;=~-._"  # what stands for itself in a path (RFC 3986)
_WRITES: Final = frozenset({"Create", "Update", "Patch"})


def path(request: ApiRequest) -> str:
    """Return the path of a collection, an object or its subresource, or that of a version of a group."""
    resource = request.resource
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    if request.method == "Discover":
        return root
    scope = f"/namespaces/{request.namespace}" if request.namespace and resource.namespaced else ""
    tail = "".join(f"/{part}" for part in (request.name, request.subresource) if part)
    return f"{root}{scope}/{resource.plural}{tail}"


def query(request: ApiRequest, caller: str) -> dict[str, str]:
    """Return selectors and options as a query; what is empty is left out."""
    texts = dict(request.query) | {
        "labelSelector": request.label_selector,
        "fieldSelector": request.field_selector,
        "limit": str(request.limit or ""),
        "continue": request.continue_,
        "resourceVersion": request.resource_version,
        "timeoutSeconds": str(request.server_timeout_s or ""),
    }
    if request.method == "Watch":
        texts |= {"watch": "true", "allowWatchBookmarks": "true"}
    if request.method in _WRITES:
        texts["fieldManager"] = field_manager(caller)
    return {key: text for key, text in texts.items() if text}


def target(request: ApiRequest, caller: str) -> str:
    """Return path and query as a request's first line has them."""
    options = urlencode(query(request, caller), quote_via=quote)
    return quote(path(request), safe=_PATH) + (f"?{options}" if options else "")


def media_type(request: ApiRequest) -> str:
    """Return what the body is written as."""
    return request.patch_type.value if request.method == "Patch" else "application/json"


def body(request: ApiRequest) -> bytes | None:
    """Return the body; that of a deletion says how to delete."""
    if request.delete_options is not None:
        return objects.encode(_delete_options(request.delete_options))
    return request.body or None


def _delete_options(options: DeleteOptions) -> meta_v1.DeleteOptions:
    preconditions = meta_v1.Preconditions(uid=options.uid, resourceVersion=options.resource_version)
    return meta_v1.DeleteOptions(
        gracePeriodSeconds=options.grace_period_s,
        propagationPolicy=options.propagation_policy,
        preconditions=preconditions if options.uid or options.resource_version else None,
    )
