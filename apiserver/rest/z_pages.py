"""The z-pages of an apiserver: /statusz and /flagz, for people and in a structured form.

https://kubernetes.io/docs/reference/instrumentation/zpages/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.replies import Reply, pretty, reply, text_reply
from apiserver.rest.services import RestServices
from machinery.model.errors import NotAcceptable
from machinery.process.z_pages import FLAGS, STATUS, ZPages

_GROUP_VERSION: Final = "config.k8s.io/v1beta1"
_PATHS: Final = ("/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version")
_NAME: Final = "kube-apiserver"


class StructuredZPages:
    """Both pages of one apiserver, in the form that a client asks for."""

    def __init__(self, services: RestServices) -> None:
        self._own = ZPages(_NAME, services.clock, services.configuration, _PATHS)
        self.pages: Mapping[str, Callable[[HttpRequest], Reply]] = {
            STATUS: self._status,
            FLAGS: self._flags,
        }

    def _status(self, http: HttpRequest) -> Reply:
        if _is_structured(http.accept, "Statusz"):
            return _structured("Statusz", self._own.status())
        return text_reply(self._own.status_text())

    def _flags(self, http: HttpRequest) -> Reply:
        if _is_structured(http.accept, "Flagz"):
            return _structured("Flagz", {"flags": self._own.flags()})
        return text_reply(self._own.flags_text())


def _is_structured(accept: str, kind: str) -> bool:
    """Whether the caller asks for the structured form; False for the text.

    Raises:
        NotAcceptable: they accept neither, JSON without all of its parameters, say.
    """
    clauses = [[part.strip() for part in clause.split(";")] for clause in accept.lower().split(",")]
    wanted = {"g=config.k8s.io", "v=v1beta1", f"as={kind.lower()}"}
    for media_type, *parameters in clauses:
        if media_type == "application/json" and wanted <= set(parameters):
            return True
        if media_type in ("", "*/*", "text/*", "text/plain"):
            return False
    offered = f"text/plain, application/json;g=config.k8s.io;v=v1beta1;as={kind}"
    raise NotAcceptable(f"only the following media types are accepted: {offered}")


def _structured(kind: str, told: Mapping[str, Any]) -> Reply:
    obj = {"kind": kind, "apiVersion": _GROUP_VERSION, "metadata": {"name": _NAME}, **told}
    body = pretty(msgspec.json.encode(obj))
    return reply(body, content_type=f"application/json;g=config.k8s.io;v=v1beta1;as={kind}")
