"""How a webhook is reached: by a URL, or as a Service of the cluster.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#contacting-the-webhook
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

PORT: Final = 443
_FORM: Final = "; desired format: https://host[/path]"


def client_causes(client: Json, path: str) -> list[Cause]:
    """Check how a webhook is to be reached."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [field_errors.required(path, "exactly one of url or service is required")]
    if url is not None:
        return _url_causes(url, f"{path}.url")
    return _service_causes(service or {}, f"{path}.service")


def _url_causes(url: str, path: str) -> list[Cause]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [field_errors.required(path, f"url must be a valid URL: {error}{_FORM}")]
    user, at, host = parts.netloc.rpartition("@")
    checks = (
        (parts.scheme != "https", parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"),
        (not host, host, f"host must be provided{_FORM}"),
        (bool(at), user, "user information is not permitted in the URL"),
        (bool(parts.fragment), parts.fragment, "fragments are not permitted in the URL"),
        (bool(parts.query), parts.query, "query parameters are not permitted in the URL"),
    )
    return [field_errors.invalid(path, value, text) for is_wrong, value, text in checks if is_wrong]


def _service_causes(service: Json, path: str) -> list[Cause]:
    found = [
        field_errors.required(f"{path}.{name}", f"service {name} is required")
        for name in ("name", "namespace")
        if not service.get(name)
    ]
    port = service.get("port", PORT)
    if not 1 <= port <= 65535:
        text = "port is not valid: must be between 1 and 65535, inclusive"
        found.append(field_errors.invalid(f"{path}.port", port, text))
    return found + field_errors.each_invalid(
        f"{path}.path", service.get("path"), _path_errors(service.get("path") or "")
    )


def _path_errors(place: str) -> list[str]:
    if place in {"", "/"}:
        return []
    if place == "//":
        return ["segment[0] may not be empty"]
    found = [] if place.startswith("/") else ["must start with a '/'"]
    segments = place[1:].removesuffix("/").split("/")
    for index, segment in enumerate(segments):
        if not segment:
            found.append(f"segment[{index}] may not be empty")
            continue
        found += [f"segment[{index}]: {error}" for error in names.dns_subdomain_errors(segment)]
    return found
