"""CustomResourceDefinitions at work. Every apiserver follows them in the store; nothing else keeps them in step.

    cache of definitions ─▶ serving   their kinds, in the catalogue, before anybody is told of the change
                         └▶ upkeep    their names (status), and the end of those that are deleted: objects first
    conversion          between the versions of a kind, by a webhook

What is decided about them is in `apiserver.core.custom`.
"""

from __future__ import annotations

from apiserver.custom_resources.serving import ServedDefinitions
from apiserver.custom_resources.upkeep import Upkeep

__all__ = ["ServedDefinitions", "Upkeep"]
