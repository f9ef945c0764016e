"""The published schemas, read once a process: what the pure core needs."""

from __future__ import annotations

from functools import cache

from apiserver.core.schema import Schemas
from machinery.process.published_schemas import VERSION, document

__all__ = ["VERSION", "document", "load"]


@cache
def load() -> Schemas:
    """Return the schemas."""
    return Schemas(document())
