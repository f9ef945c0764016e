"""Why a node, or every node, cannot take a pod."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """One filter's verdict about a node, in the words that kubectl's users know."""

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool  # whether the node could take the pod if some of its pods went away


@dataclass(frozen=True, slots=True)
class Stopped:
    """No node is looked at: what the plugin says keeps the pod from all of them."""

    plugin: str
    message: str
