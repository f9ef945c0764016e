"""Bodies of requests, brought into JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from apiserver.aside import aside
from apiserver.core.decode import read_carefully, unrecognized
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import MEDIA_TYPE
from apiserver.rest.yaml_body import Converted, NotYaml, yaml_to_json
from machinery.model.errors import BadRequest, UnsupportedMediaType
from machinery.model.requests import PatchType

_JSON: Final = frozenset({"application/json", ""})
_YAML: Final = frozenset({"application/yaml", "text/yaml"})
_YAML_WEIGHT: Final = 2  # bytes of JSON that take as long to read as one of YAML


async def object_json(content_type: str, body: bytes, kind: str) -> Converted:
    """Return an object as JSON, whatever the body is written in; of this kind it has to be, as far as errors know.

    Raises:
        UnsupportedMediaType: it is in a form that is not built.
        BadRequest: it is not what it says it is.
    """
    media_type = media_type_of(content_type)
    if media_type in _JSON:
        return Converted(body)
    if media_type in _YAML:
        try:
            return await _from_yaml(body)
        except NotYaml as error:
            raise unrecognized(kind, error.problem, body) from error
    if media_type == MEDIA_TYPE:
        return Converted(await aside(len(body), protobuf_to_json, body))
    raise _unknown(("application/json", "application/yaml", MEDIA_TYPE))


def patch_type(content_type: str) -> PatchType:
    """Return which sort of patch a body is.

    Raises:
        UnsupportedMediaType: it is not one of the four.
    """
    try:
        return PatchType(media_type_of(content_type))
    except ValueError as error:
        raise _unknown(tuple(each.value for each in PatchType)) from error


async def patch_json(kind: PatchType | None, body: bytes) -> Converted:
    """Return a patch as JSON: a configuration that is applied may be YAML.

    Raises:
        BadRequest: it is not what it says it is.
    """
    if kind is not PatchType.APPLY or await aside(len(body), _is_plain_json, body):
        return Converted(body)
    try:
        return await _from_yaml(body)
    except NotYaml as error:
        raise BadRequest(f"error decoding YAML: error converting YAML to JSON: {error.problem}") from error


def _is_plain_json(body: bytes) -> bool:
    """Whether a body is JSON as it is read; what says a key twice on several lines is read as YAML, which tells where."""
    return _is_json(body) and not (b"\n" in body.strip() and read_carefully(body)[1])


def _is_json(body: bytes) -> bool:
    """Whether a body is JSON, which clients write though they say that it is YAML; that says the same, and is faster."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return body.lstrip().startswith(b"{")


async def _from_yaml(body: bytes) -> Converted:
    return await aside(_YAML_WEIGHT * len(body), yaml_to_json, body)


def media_type_of(content_type: str) -> str:
    """Return a media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _unknown(accepted: tuple[str, ...]) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
