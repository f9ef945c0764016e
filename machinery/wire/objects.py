"""Object bytes ↔ typed objects. The canonical form of an object is its Kubernetes JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from machinery.model.errors import InternalError

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def encode(obj: Any) -> bytes:
    """Return a Struct, a dict or a list as JSON."""
    return _encoder.encode(obj)


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder_for(type_: type[T]) -> msgspec.json.Decoder[T]:
    """Return the one decoder of a type (making one compiles the type's description)."""
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    return decoder


def decode(data: bytes, type_: type[T]) -> T:
    """Read an object. Fields that the type does not have are dropped; null means absent, as in Kubernetes.

    Raises:
        InternalError: the bytes are no object of this type; a server that sends them is at fault.
    """
    try:
        return decoder_for(type_).decode(data)
    except msgspec.ValidationError:
        return _decode_without_nulls(data, type_)
    except msgspec.DecodeError as error:
        raise InternalError(f"the server sent no JSON for a {type_.__name__}: {error}") from error


def _decode_without_nulls(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.convert(without_nulls(msgspec.json.decode(data)), type_)
    except msgspec.ValidationError as error:
        raise InternalError(f"the server sent a {type_.__name__} that does not fit: {error}") from error


def without_nulls(value: Any) -> Any:
    """Return a JSON value without what is null: in Kubernetes that is absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
