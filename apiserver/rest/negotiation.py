"""In which form the caller wants the answer: the Accept header.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
A form is how the answer is encoded and what is shown of it. What is not offered at a place (CBOR anywhere, protobuf of
custom resources) is passed over in favour of the next form that the header names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from apiserver.rest import protobuf_messages
from machinery.model.errors import NotAcceptable

LONGEST_REMEMBERED: Final = 256  # characters
META_V1: Final = "meta.k8s.io/v1"
META_V1BETA1: Final = "meta.k8s.io/v1beta1"
OPENAPI_V2_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class Encoding(Enum):
    """How an answer is written, by its media type. A caller who takes anything gets the first that is offered."""

    JSON = "application/json"
    YAML = "application/yaml"
    PROTOBUF = protobuf_messages.MEDIA_TYPE
    OPENAPI_V2 = OPENAPI_V2_TYPE  # openapi.v2.Document in protobuf


class Shape(Enum):
    """What is shown: the object or document itself, or another representation of it."""

    WHOLE = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"
    DISCOVERY = "APIGroupDiscoveryList"


class Form(NamedTuple):
    """How an answer is written, and what is shown."""

    encoding: Encoding = Encoding.JSON
    shape: Shape = Shape.WHOLE
    meta_version: str = META_V1  # apiVersion of a table or of metadata
    is_pretty: bool = False  # whether the media type says that people read it


Offer = frozenset[Form]


def _offer(encodings: str, shapes: str, *meta_versions: str) -> Offer:
    made = product(encodings.split(), shapes.split(), meta_versions or (META_V1,))
    return frozenset(Form(Encoding[encoding], Shape[shape], version) for encoding, shape, version in made)


_METAS: Final = (META_V1, META_V1BETA1)
_METADATA: Final = _offer("JSON YAML PROTOBUF", "METADATA METADATA_LIST", *_METAS)
CUSTOM_OBJECTS: Final = _offer("JSON YAML", "WHOLE") | _offer("JSON YAML", "TABLE", *_METAS) | _METADATA
"""Objects whose kind has no protobuf message: custom resources."""
OBJECTS: Final = CUSTOM_OBJECTS | _offer("PROTOBUF", "WHOLE")
UNSTORED: Final = frozenset(form for form in OBJECTS if form.shape is not Shape.TABLE)
"""What is answered and not stored (reviews, bindings, tokens): Kubernetes has no table of it."""
CUSTOM_STREAMS: Final = frozenset(form for form in CUSTOM_OBJECTS if form.encoding is not Encoding.YAML)
STREAMS: Final = frozenset(form for form in OBJECTS if form.encoding is not Encoding.YAML)
DISCOVERIES: Final = _offer("JSON YAML PROTOBUF", "WHOLE DISCOVERY")
PLAIN: Final = _offer("JSON YAML PROTOBUF", "WHOLE")
"""What has no other representation: an error, a part of discovery."""
DOCUMENTS: Final = _offer("JSON", "WHOLE")
DOCUMENTS_V2: Final = _offer("JSON OPENAPI_V2", "WHOLE")

_ALIASES: Final = {OPENAPI_V2_TYPE.replace(".v1.0", "@v1.0"): OPENAPI_V2_TYPE}
_ENCODINGS: Final = {each.value: each for each in Encoding}
_METADATA_SHAPES: Final = (Shape.TABLE, Shape.METADATA, Shape.METADATA_LIST)
_SHAPES: Final = {
    **{(shape.value, version): (shape, version) for shape in _METADATA_SHAPES for version in _METAS},
    (Shape.DISCOVERY.value, "apidiscovery.k8s.io/v2"): (Shape.DISCOVERY, META_V1),
}
"""What is meant by a representation and the version of it."""


def negotiate(accept: str, offered: Offer) -> Form:
    """Choose the form that the caller likes best among those that are offered.

    Raises:
        NotAcceptable: they accept none of them.
    """
    return (_remembered if len(accept) <= LONGEST_REMEMBERED else _negotiated)(accept, offered)


def _negotiated(accept: str, offered: Offer) -> Form:
    if not accept:
        return Form()
    is_stream = offered in (STREAMS, CUSTOM_STREAMS)
    for media_type, parameters in _clauses(accept):
        if parameters.get("stream", "") not in ("", "watch"):
            continue
        for form in _forms(media_type, parameters):
            if form in offered:
                return form._replace(is_pretty=parameters.get("pretty") == "1")
    types = [each.value for each in Encoding if Form(each) in offered]
    tail = ";stream=watch" if is_stream else ""
    raise NotAcceptable(
        f"only the following media types are accepted: {', '.join(each + tail for each in types)}"
    )


_remembered: Final = lru_cache(maxsize=512)(_negotiated)


def _clauses(accept: str) -> list[tuple[str, Mapping[str, str]]]:
    """Return the media types with their parameters, the best first: by their quality, then what is more specific."""
    clauses = []
    for part in accept.split(","):
        media_type, *pairs = (piece.strip() for piece in part.split(";"))
        parameters = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
        clauses.append((media_type.lower(), parameters))
    return sorted(clauses, key=lambda clause: (-_quality(clause[1].get("q", "1")), clause[0].count("*")))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _forms(media_type: str, parameters: Mapping[str, str]) -> Iterator[Form]:
    """Yield what a clause of the header asks for, the best first."""
    shown: tuple[Shape, str] | None = (Shape.WHOLE, META_V1)
    if wanted := parameters.get("as", ""):
        shown = _SHAPES.get((wanted, f"{parameters.get('g', '')}/{parameters.get('v', '')}"))
    if shown is None:
        return
    if media_type in ("*/*", "application/*"):
        yield from (Form(encoding, *shown) for encoding in Encoding)
    elif encoding := _ENCODINGS.get(_ALIASES.get(media_type, media_type)):
        yield Form(encoding, *shown)
