"""Bodies in Kubernetes' protobuf form, as JSON: what kubectl's typed commands and most Go clients send.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
A field that is set and not described (`protobuf_messages`) is an error, never dropped: it belongs to a newer Kubernetes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from apiserver.rest.protobuf_messages import (
    EXTENSIONS,
    MAGIC,
    META,
    UNKNOWN,
    is_inlined,
    message_of,
    message_pool,
)
from apiserver.rest.protobuf_reader import Readers, Unusual
from machinery.model.errors import BadRequest

_ZERO_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)


def protobuf_to_json(data: bytes) -> bytes:
    """Write an object as JSON.

    Raises:
        BadRequest: this is no such object, or it has fields that are not known here.
    """
    from google.protobuf.message import DecodeError

    if not data.startswith(MAGIC):
        raise BadRequest("the body does not begin as Kubernetes' protobuf does")
    try:
        envelope = _parsed(UNKNOWN, data[len(MAGIC) :])
        meta = _object(envelope.typeMeta)
        api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
        obj = _read(message_of(api_version, kind), envelope.raw)
    except _NoTextError as error:
        raise BadRequest(f"couldn't read the body as protobuf: {error.path} is no UTF-8") from error
    except DecodeError as error:
        raise BadRequest(f"couldn't read the body as protobuf: {error}") from error
    except (UnicodeDecodeError, OverflowError, RecursionError) as error:
        raise BadRequest(f"couldn't read the body: {error}") from error
    return msgspec.json.encode({"apiVersion": api_version, "kind": kind, **obj})


def _read(name: str, data: bytes) -> Any:
    """Return the object that a message is; where there is something unusual in it, field by field."""
    try:
        return _readers.read(_parsed(name, data))
    except (Unusual, _NoTextError, UnicodeDecodeError):
        return _object(_parsed(name, data))


def _parsed(name: str, data: bytes) -> Any:
    return _message_class(name).FromString(data)


@lru_cache(maxsize=256)
def _message_class(name: str) -> Any:
    from google.protobuf.message_factory import GetMessageClass

    try:
        return GetMessageClass(message_pool().FindMessageTypeByName(name))
    except KeyError as error:
        raise BadRequest(f"there is no protobuf form of {name}") from error


def _object(message: Any) -> Any:
    special = _SPECIAL.get(message.DESCRIPTOR.full_name)
    if special is not None:
        return special(message)
    _check_known(message)
    obj: dict[str, Any] = {}
    for field, value in message.ListFields():
        if is_inlined(field):
            obj |= _object(value)
        else:
            name = field.json_name
            try:
                obj[name] = _field(field, value)
            except (_NoTextError, UnicodeDecodeError) as error:
                raise _within(name, error) from None
    return obj


def _field(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_values = field.message_type.fields_by_name["value"]
        return {_text(key): _part(f"[{key}]", of_values, each) for key, each in value.items()}
    if field.is_repeated:
        return [_part(f"[{index}]", field, each) for index, each in enumerate(value)]
    return _single(field, value)


def _part(place: str, field: Any, value: Any) -> Any:
    try:
        return _single(field, value)
    except (_NoTextError, UnicodeDecodeError) as error:
        raise _within(place, error) from None


def _single(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return _object(value)
    if field.type == field.TYPE_STRING:
        return _text(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value


class _NoTextError(Exception):
    """A string is no UTF-8; `path` is where."""

    def __init__(self, path: str = "") -> None:
        super().__init__(path)
        self.path = path


def _text(value: str | bytes) -> str:
    """Return a string; the library gives the bytes of one that is no UTF-8."""
    if isinstance(value, bytes):
        raise _NoTextError
    return value


def _within(name: str, error: _NoTextError | UnicodeDecodeError) -> _NoTextError:
    """Put a field before the path of what was found in it; of a map's key the library says only that it is none."""
    rest = error.path if isinstance(error, _NoTextError) else ""
    return _NoTextError(f"{name}.{rest}" if rest and not rest.startswith("[") else f"{name}{rest}")


def _check_known(message: Any) -> None:
    """Refuse a field that is not described, unless it is empty: Go writes empty fields, too."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    unknown: Any = UnknownFieldSet(message)  # its stub does not know that it is a sequence
    for field in unknown:
        if field.data not in {0, b""}:
            raise BadRequest(
                f"field {field.field_number} of {message.DESCRIPTOR.full_name} is newer than this apiserver's "
                "protobuf messages: send the object as JSON"
            )


def _time(message: Any) -> str | None:
    return _moment(message, "%m-%dT%H:%M:%SZ")


def _micro_time(message: Any) -> str | None:
    return _moment(message, "%m-%dT%H:%M:%S.%fZ")


def _moment(message: Any, form: str) -> str | None:
    """Write a time; Go's zero time, the first moment of year 1, is null in JSON."""
    return _written(message.seconds, message.nanos, form) if message.HasField("seconds") else None


@lru_cache(maxsize=1024)
def _written(seconds: int, nanoseconds: int, form: str) -> str | None:
    since = timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + since
    return f"{moment.year:04}-{moment.strftime(form)}" if moment != _ZERO_TIME else None


def _int_or_string(message: Any) -> int | str:
    return _text(message.strVal) if message.type else int(message.intVal)


def _items(message: Any) -> list[str]:
    """Write a list that is a message of its own, since it is a value of a map."""
    return [_text(each) for each in message.items]


def _raw(message: Any) -> Any:
    data = message.ListFields()[0][1] if message.ListFields() else b""
    try:
        return msgspec.Raw(data) if data and msgspec.json.decode(data) is not None else None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"an embedded object is no JSON: {error}") from error


def _chosen(message: Any) -> Any:
    """Write what is a schema or another value: the schema where there is one, else the other field."""
    found = {field.name: _field(field, value) for field, value in message.ListFields()}
    allows = found.pop("allows", False)
    return found.get("schema", next(iter(found.values()), allows))


_SPECIAL: Final[dict[str, Callable[[Any], Any]]] = {
    f"{META}.Time": _time,
    f"{META}.MicroTime": _micro_time,
    f"{META}.FieldsV1": _raw,
    f"{EXTENSIONS}.JSON": _raw,
    f"{EXTENSIONS}.JSONSchemaPropsOrArray": _chosen,
    f"{EXTENSIONS}.JSONSchemaPropsOrBool": _chosen,
    f"{EXTENSIONS}.JSONSchemaPropsOrStringArray": _chosen,
    f"{META}.Duration": lambda message: f"{message.duration}ns",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": lambda message: _text(message.string),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    f"{META}.Verbs": _items,
    "k8s.io.api.authentication.v1.ExtraValue": _items,
    "k8s.io.api.authorization.v1.ExtraValue": _items,
    "k8s.io.api.certificates.v1.ExtraValue": _items,
}
_readers: Final = Readers(_SPECIAL)
