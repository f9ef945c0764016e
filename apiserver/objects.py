"""Objects as the store keeps them, and as the wire shows them: JSON bytes, without and with a resourceVersion.

A stored object begins with apiVersion, kind and metadata, in this order. So its resourceVersion, which is the
store's revision and not part of the value, is spliced in at a place that depends on the kind alone, and no read
has to decode anything.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any, Final

import msgspec

from apiserver.core.kind import Kind
from apiserver.core.rules import metadata_fields
from apiserver.core.values import Json

_FIRST: Final = ("apiVersion", "kind", "metadata")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Unreadable(ValueError):  # noqa: N818 - it says what the value is
    """A stored value is no object."""


class CachedObject(msgspec.Struct, frozen=True, gc=False):
    """An object as lists and watches need it: its bytes, and what selectors look at."""

    place: str  # "namespace/name", or "name" of a cluster-scoped object: the key without the kind's prefix
    json: bytes  # with its resourceVersion
    revision: int
    uid: str
    labels: dict[str, str]
    fields: dict[str, str]


class PackedObject(msgspec.Struct, frozen=True, gc=False):
    """The same of an object that was: its bytes are compressed, until somebody asks for them."""

    place: str
    packed: bytes
    revision: int
    uid: str
    labels: dict[str, str]
    fields: dict[str, str]

    @property
    def json(self) -> bytes:
        """The object as it was, with its resourceVersion."""
        return zlib.decompress(self.packed)


def packed(obj: CachedObject) -> PackedObject:
    """Return an object in less room; some 10 µs for each KB."""
    small = zlib.compress(obj.json, level=1)
    return PackedObject(obj.place, small, obj.revision, obj.uid, obj.labels, obj.fields)


def encode(obj: Json) -> bytes:
    """Write an object as the store keeps it; a resourceVersion in it is dropped."""
    meta = obj["metadata"]
    if "resourceVersion" in meta:
        meta = {key: value for key, value in meta.items() if key != "resourceVersion"}
    rest = {key: value for key, value in obj.items() if key not in _FIRST}
    return _encode({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta, **rest})


def to_json(value: Json) -> bytes:
    """Write what is not stored: a Status, a Scale."""
    return _encode(value)


def decode(data: bytes) -> Json:
    """Read an object; the caller owns it."""
    return _decode(data)


def in_version(kind: Kind, obj: Json) -> Json:
    """Return an object of any version of a kind in this one; what is in it already is returned as it is."""
    if obj.get("apiVersion") == kind.api_version:
        return obj
    return kind.rules.convert(obj, kind.api_version)


def decode_at(kind: Kind, value: bytes, revision: int) -> Json:
    """Read a stored object, with its resourceVersion; the caller owns it."""
    obj = _completed(kind, in_version(kind, _decode(value)))
    obj["metadata"]["resourceVersion"] = str(revision)
    return obj


def _completed(kind: Kind, obj: Json) -> Json:
    return obj if kind.rules.complete is None else kind.rules.complete(obj)


def with_revision(kind: Kind, value: bytes, revision: int) -> bytes:
    """Return a stored object as the wire shows it."""
    head = _head(kind.api_version, kind.kind)
    if not value.startswith(head):  # written by another program: bring it into our form first
        value = encode(in_version(kind, _decode(value)))
    return b'%b"resourceVersion":"%d",%b' % (head, revision, value[len(head) :])


def without_revision(kind: Kind, shown: bytes) -> bytes:
    """Undo `with_revision`."""
    head = _head(kind.api_version, kind.kind)
    return head + shown[shown.index(b",", len(head)) + 1 :]


def bookmark(kind: Kind, revision: int, annotation: str = "") -> bytes:
    """Return the object of a BOOKMARK event: nothing but a resourceVersion, and an annotation that is "true"."""
    meta: Json = {"resourceVersion": str(revision)}
    if annotation:
        meta["annotations"] = {annotation: "true"}
    return _encode({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta})


def cached(kind: Kind, place: str, value: bytes, revision: int) -> CachedObject:
    """Prepare a stored object for lists and watches.

    Raises:
        Unreadable: the value is no object of this kind.
    """
    try:
        if kind.rules.complete is None and value.startswith(_head(kind.api_version, kind.kind)):
            obj = _looked_at(kind, value)
        else:
            obj = _completed(kind, in_version(kind, _decode(value)))
            value = encode(obj)
        meta = obj["metadata"]
        shown = with_revision(kind, value, revision)
        return CachedObject(
            place, shown, revision, meta.get("uid", ""), meta.get("labels") or {}, kind.rules.fields(obj)
        )
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unreadable(f"not an object of kind {kind.kind}: {error}") from error


class _Meta(msgspec.Struct, gc=False):
    """What caches and selectors look at in the metadata: a third of an object is who owns its fields."""

    name: Any = ""
    namespace: Any = ""
    uid: Any = ""
    labels: Any = None


class _WithMeta(msgspec.Struct, gc=False):
    metadata: _Meta


_decode_meta = msgspec.json.Decoder(_Meta).decode
_decode_with_meta = msgspec.json.Decoder(_WithMeta).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


def _looked_at(kind: Kind, value: bytes) -> Json:
    """Return of a stored object what its fields and labels are found in; the rest is passed over, in C."""
    if kind.rules.fields is metadata_fields:
        return {"metadata": msgspec.structs.asdict(_decode_with_meta(value).metadata)}
    parts = _decode_parts(value)
    meta = msgspec.structs.asdict(_decode_meta(parts.pop("metadata")))
    return {"metadata": meta, **{name: _decode_any(part) for name, part in parts.items()}}


@cache
def _head(api_version: str, kind: str) -> bytes:
    return b'{"apiVersion":"%b","kind":"%b","metadata":{' % (api_version.encode(), kind.encode())
