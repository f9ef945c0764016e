"""In which form the caller wants the answer: the Accept header.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
Forms that are not built (protobuf, CBOR) are passed over in favour of the next one that the header names.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Final

from machinery.model.errors import NotAcceptable

LONGEST_REMEMBERED: Final = 256  # characters


class Form(Enum):
    """How objects are written."""

    JSON = "json"
    YAML = "yaml"
    TABLE = "table"
    METADATA = "metadata"  # PartialObjectMetadata, or a list of them
    DISCOVERY = "discovery"  # apidiscovery.k8s.io/v2
    OPENAPI_V2 = "openapi-v2"  # openapi.v2.Document in protobuf


_ANY = frozenset({"*/*", "application/*", "application/json"})
_AS = {
    ("Table", "meta.k8s.io", "v1"): Form.TABLE,
    ("PartialObjectMetadata", "meta.k8s.io", "v1"): Form.METADATA,
    ("PartialObjectMetadataList", "meta.k8s.io", "v1"): Form.METADATA,
    ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"): Form.DISCOVERY,
}
OBJECTS = frozenset({Form.JSON, Form.YAML, Form.TABLE, Form.METADATA})
STREAMS = frozenset({Form.JSON, Form.TABLE, Form.METADATA})
DISCOVERIES = frozenset({Form.JSON, Form.DISCOVERY})
DOCUMENTS = frozenset({Form.JSON})
DOCUMENTS_V2 = frozenset({Form.JSON, Form.OPENAPI_V2})
OPENAPI_V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_OPENAPI_V2_TYPES = frozenset({OPENAPI_V2_TYPE, OPENAPI_V2_TYPE.replace(".v1.0", "@v1.0")})


def negotiate(accept: str, offered: frozenset[Form]) -> Form:
    """Choose the form that the caller likes best among those that are offered.

    Raises:
        NotAcceptable: they accept none of them.
    """
    return (_remembered if len(accept) <= LONGEST_REMEMBERED else _negotiated)(accept, offered)


def _negotiated(accept: str, offered: frozenset[Form]) -> Form:
    if not accept:
        return Form.JSON
    for media_type, parameters in _clauses(accept):
        form = _form(media_type, parameters)
        if form in offered:
            return form
    raise NotAcceptable(
        "only the following media types are accepted: application/json"
        + (", application/yaml" if Form.YAML in offered else "")
        + (f", {OPENAPI_V2_TYPE}" if Form.OPENAPI_V2 in offered else "")
    )


_remembered: Final = lru_cache(maxsize=512)(_negotiated)


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    clauses = []
    for part in accept.split(","):
        media_type, *pairs = (piece.strip() for piece in part.split(";"))
        parameters = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
        clauses.append((media_type.lower(), parameters))
    return sorted(clauses, key=lambda clause: -_quality(clause[1].get("q", "1")))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _form(media_type: str, parameters: dict[str, str]) -> Form | None:
    if wanted := parameters.get("as"):
        key = (wanted, parameters.get("g", ""), parameters.get("v", ""))
        return _AS.get(key) if media_type in _ANY else None
    if media_type in _ANY:
        return Form.JSON
    if media_type in _OPENAPI_V2_TYPES:
        return Form.OPENAPI_V2
    return Form.YAML if media_type == "application/yaml" else None
