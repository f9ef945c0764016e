"""Objects that the store has in an older version, where a server outside converts: brought into the one that is stored now."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver import objects
from apiserver.aside import aside
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.storage.interface import Stored


async def stored_in(kind: Kind, items: Sequence[Stored]) -> Sequence[Stored]:
    """Return what the store has of a kind with everything in the version that is stored now.

    Raises:
        InternalError: who converts does not answer.
    """
    convert_all = kind.rules.convert_all
    if convert_all is None:
        return items
    head = b'{"apiVersion":"%b",' % kind.api_version.encode()
    old = [item for item in items if not item.value.startswith(head)]
    if not old:
        return items
    decoded = await aside(sum(len(item.value) for item in old), _decoded, old)
    made = await convert_all(decoded, kind.api_version)
    values = {item.key: objects.encode(each) for item, each in zip(old, made, strict=True)}
    return [Stored(item.key, values.get(item.key, item.value), item.revision) for item in items]


def _decoded(items: Sequence[Stored]) -> list[Json]:
    return [objects.decode(each.value) for each in items]
