"""The z-pages: /statusz and /flagz, what this process is and what it was told, for people and in a structured form.

https://kubernetes.io/docs/reference/instrumentation/zpages/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.replies import Reply, pretty, reply, text_reply
from apiserver.rest.services import RestServices
from apiserver.schemas import VERSION
from machinery.model.errors import NotAcceptable

_GROUP_VERSION: Final = "config.k8s.io/v1beta1"
_PATHS: Final = ("/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version")
_NAME: Final = "kube-apiserver"
_WARNING: Final = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for "
    "debugging purposes only."
)


class ZPages:
    """Both pages of one apiserver, whose life begins with them."""

    def __init__(self, services: RestServices) -> None:
        self._services = services
        self._started_s = services.clock.now()
        self.pages: Mapping[str, Callable[[HttpRequest], Reply]] = {
            "statusz": self._status,
            "flagz": self._flags,
        }

    def _status(self, http: HttpRequest) -> Reply:
        clock = self._services.clock
        up_s = int(clock.now() - self._started_s)
        binary, emulated = VERSION.removeprefix("v"), VERSION.removeprefix("v").rpartition(".")[0]
        if _is_structured(http.accept, "Statusz"):
            told = {
                "startTime": clock.timescale.format(self._started_s),
                "uptimeSeconds": up_s,
                "binaryVersion": binary,
                "emulationVersion": emulated,
                "paths": _PATHS,
            }
            return _structured("Statusz", told)
        began = datetime.fromtimestamp(clock.timescale.wall(self._started_s), UTC)
        minutes, seconds = divmod(up_s, 60)
        hours, minutes = divmod(minutes, 60)
        lines = (
            f"{_NAME} statusz",
            _WARNING,
            "",
            f"Started: {began:%a %b %d %H:%M:%S UTC %Y}",
            f"Up: {hours} hr {minutes:02} min {seconds:02} sec",
            f"Binary version: {binary}",
            f"Emulation version: {emulated}",
            f"Paths: {' '.join(_PATHS)}",
        )
        return text_reply("\n".join(lines) + "\n")

    def _flags(self, http: HttpRequest) -> Reply:
        told = self._services.configuration.items()
        flags = {name.replace("_", "-"): _text(value) for name, value in sorted(told)}
        if _is_structured(http.accept, "Flagz"):
            return _structured("Flagz", {"flags": flags})
        lines = (f"{_NAME} flags", _WARNING, "", *(f"{name}={value}" for name, value in flags.items()))
        return text_reply("\n".join(lines) + "\n")


def _text(value: object) -> str:
    """Write a value as Kubernetes' flags print theirs."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return ""
        case list() | tuple():
            return f"[{','.join(map(str, value))}]"
        case _:
            return str(value)


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
