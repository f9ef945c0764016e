"""A request of a resource, read once: its path, query, headers and who asks become one value.

The body is read later, by `complete`: whoever may not write is refused before theirs has come.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
from msgspec import structs

from apiserver.aside import aside
from apiserver.request import Request, UserInfo, request_about
from apiserver.request_checks import checked_body, checked_writing, selected
from apiserver.rest import query
from apiserver.rest.bodies import object_json, patch_json, patch_type
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.paths import Target
from machinery.model.kinds import KindNames
from machinery.wire import fence_header

VERBS: Final = {
    "GET": ("get", "list"),
    "HEAD": ("get", "list"),
    "POST": ("create", "create"),
    "PUT": ("update", "update"),
    "PATCH": ("patch", "patch"),
    "DELETE": ("delete", "deletecollection"),
    "OPTIONS": ("", ""),
}
"""Of each method: of one object, of a collection."""
_COLLECTIONS: Final = frozenset({"list", "watch", "deletecollection"})
_READS: Final = frozenset({"get", "list", "watch"})
_WRITES: Final = frozenset({"create", "update", "patch"})


class ResourceRequest(msgspec.Struct, frozen=True, gc=False):
    """What is asked, and how the answer is to be written."""

    http: HttpRequest
    target: Target
    request: Request  # for gate and registry; the body is still to come
    is_pretty: bool
    include_object: str  # of a table: "", "None", "Metadata", "Object"

    @property
    def verb(self) -> str:
        """The verb that authorization knows."""
        return self.request.verb

    async def complete(self, found: KindNames) -> Request:
        """Read the body, where the verb has one, of a request about this kind.

        Raises:
            ApiError: it is too large, broke off, or is not what it says it is.
        """
        http, request = self.http, self.request
        content_type = http.headers.get("Content-Type", "")
        match request.verb:
            case "create" | "update":
                body = checked_body(await http.read_body())
                checked_writing(request, _dry_run(http))
                subresource = found.subresources.get(request.subresource)
                sent = await object_json(content_type, body, (subresource or found).kind)
                return structs.replace(request, body=sent.json, repeated=sent.repeated)
            case "patch":
                body = checked_body(await http.read_body())
                request = structs.replace(request, patch_type=patch_type(content_type))
                checked_writing(request, _dry_run(http))
                sent = await patch_json(request.patch_type, body)
                return structs.replace(request, body=sent.json, repeated=sent.repeated)
            case "delete" | "deletecollection":
                body = await http.read_body()
                body = (await object_json(content_type, body, "DeleteOptions")).json if body else b""
                read = partial(query.delete_options, one=request.verb == "delete")
                options = await aside(len(body), read, http.query, body, _dry_run(http))
                return structs.replace(request, deleting=options)
        return request


def read_request(http: HttpRequest, user: UserInfo, target: Target) -> ResourceRequest:
    """Read a request.

    Raises:
        BadRequest: the query makes no sense.
        Invalid: an option has a value that it cannot have.
    """
    asked: Any = http.query if http.raw_query else {}
    verb = verb_of(http, target)
    fields: dict[str, Any] = {}
    if verb in _COLLECTIONS:
        fields["selection"] = query.list_options(asked)
    elif verb == "get":
        fields["resource_version"] = asked.get("resourceVersion", "")
    elif verb in _WRITES:
        fields["writing"] = query.write_options(asked, http.headers.get("User-Agent", ""), _dry_run(http))
    if verb not in _READS and (fence := http.headers.get(fence_header.FENCE_KEY)):
        fields["fence"] = fence_header.read(fence)
    request = request_about(target, user, verb, **fields)
    if verb in _COLLECTIONS:
        request = selected(request)
    return ResourceRequest(http, target, request, http.is_pretty, asked.get("includeObject", ""))


def is_watch(http: HttpRequest, target: Target) -> bool:
    """Whether a request follows a collection."""
    if http.method != "GET":
        return False
    return target.watch or bool(http.raw_query and query.boolean(http.query, "watch"))


def verb_of(http: HttpRequest, target: Target) -> str:
    """Return the verb that authorization knows; the path decides between one and many."""
    one, many = VERBS.get(http.method, ("", ""))
    return "watch" if is_watch(http, target) else one if target.name else many


def _dry_run(http: HttpRequest) -> list[str]:
    return [value for value in http.query.getall("dryRun", []) if value] if http.raw_query else []
