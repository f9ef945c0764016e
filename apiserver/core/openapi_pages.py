"""What is asked for beside resources, as operations: discovery, the version, the keys of the token issuer.

Each is a document of its own in version 3, at the path of the page; the resources of a version are listed in the version's.
"""

from __future__ import annotations

from typing import Final

from apiserver.core.discovery import Discovery
from apiserver.core.openapi_paths import JSON_TYPES, META, PROTOBUF, Operation, is_published, tag_of, titled
from machinery.model.kinds import KindNames

_LISTS: Final = (*JSON_TYPES, PROTOBUF)
_FIXED: Final[tuple[tuple[str, str, str, str, str, tuple[str, ...]], ...]] = (
    (
        "api",
        "getCoreAPIVersions",
        "core",
        "get the versions of the core group",
        f"{META}.APIVersions",
        _LISTS,
    ),
    ("apis", "getAPIVersions", "apis", "get the groups and their versions", f"{META}.APIGroupList", _LISTS),
    (
        "version",
        "getCodeVersion",
        "version",
        "get the version of this server",
        "io.k8s.apimachinery.pkg.version.Info",
        ("application/json",),
    ),
    (
        ".well-known/openid-configuration",
        "getServiceAccountIssuerOpenIDConfiguration",
        "WellKnown",
        "get what the issuer of the ServiceAccounts' tokens says of itself (OpenID Connect discovery)",
        "",
        ("application/json",),
    ),
    (
        "openid/v1/jwks",
        "getServiceAccountIssuerOpenIDKeyset",
        "openid",
        "get the public keys that the ServiceAccounts' tokens are verified with",
        "",
        ("application/jwk-set+json",),
    ),
)


def pages(discovery: Discovery) -> dict[str, Operation]:
    """Return the one operation of every document that is about no version of a group, by its path."""
    found = {each[0]: _page(*each) for each in _FIXED}
    for group in discovery.groups():
        if any(map(is_published, _of_group(discovery, group))):
            told = "get information of a group"
            found[f"apis/{group}"] = _page(
                f"apis/{group}",
                f"get{titled(group)}APIGroup",
                tag_of(group),
                told,
                f"{META}.APIGroup",
                _LISTS,
            )
    return dict(sorted(found.items()))


def resource_list(group: str, version: str) -> Operation:
    """Return the operation that lists the resources of a version."""
    path = f"apis/{group}/{version}" if group else f"api/{version}"
    operation_id = f"get{titled(group, version)}APIResources"
    told = "get available resources"
    return _page(path, operation_id, tag_of(group, version), told, f"{META}.APIResourceList", _LISTS)


def _of_group(discovery: Discovery, group: str) -> list[KindNames]:
    return [each for version in discovery.versions(group) for each in discovery.resources(group, version)]


def _page(
    path: str, operation_id: str, tag: str, description: str, answer: str, produces: tuple[str, ...]
) -> Operation:
    return Operation(
        path=f"/{path}/",
        method="get",
        action="",
        operation_id=operation_id,
        description=description,
        kind=None,
        tag=tag,
        parameters=(),
        answer=answer,
        produces=produces,
    )
