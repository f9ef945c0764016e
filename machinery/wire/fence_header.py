"""The fence of a write on the wire: the metadata of a gRPC request, and a header of a REST request.

    kubarium-fence: kube-system/kube-scheduler@3+0b6e…+host_5f1c…

(namespace/name@transitions+uid+holder, percent-encoded where needed). Only components that lead by a lease send it; a
request without it is not fenced. The apiserver's doors read it into the request, the registry compares it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

from machinery.model.errors import BadRequest
from machinery.model.requests import Fence

FENCE_KEY: Final = "kubarium-fence"
_LONGEST: Final = 2048  # characters: four names, percent-encoded
_DIGITS: Final = 10  # leaseTransitions is an int32


@lru_cache(maxsize=16)  # a leadership has one, and sends it with every write
def write(fence: Fence) -> str:
    """Return a fence as a header's text."""
    namespace, name, uid, holder = (
        quote(text, safe="") for text in (fence.namespace, fence.name, fence.uid, fence.holder)
    )
    return f"{namespace}/{name}@{fence.transitions}+{uid}+{holder}"


@lru_cache(maxsize=16)
def read(text: str) -> Fence:
    """Return the fence that a header says.

    Raises:
        BadRequest: it is not a fence; a write must not lose its fence on the way.
    """
    if len(text) > _LONGEST:  # what raises is not remembered
        raise BadRequest(f"{FENCE_KEY}: a fence is not as long as {len(text)} characters")
    place, _, holding = text.partition("@")
    places, parts = place.split("/"), holding.split("+")
    if len(places) != 2 or len(parts) != 3:
        raise BadRequest(f"{FENCE_KEY}: {text[:100]!r} is not namespace/name@transitions+uid+holder")
    transitions, uid, holder = parts
    if not (transitions.isascii() and transitions.isdigit()) or len(transitions) > _DIGITS:
        raise BadRequest(f"{FENCE_KEY}: {transitions[:100]!r} is not a number of transitions")
    namespace, name = places
    return Fence(unquote(namespace), unquote(name), unquote(uid), unquote(holder), int(transitions))


def of_metadata(metadata: Iterable[tuple[str, Any]] | None) -> Fence | None:
    """Return the fence among a request's metadata, None where there is none.

    Raises:
        BadRequest: it is not a fence.
    """
    for key, value in metadata or ():
        if key == FENCE_KEY:
            return read(value)
    return None
