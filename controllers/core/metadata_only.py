"""Objects of which only the metadata matters: garbage collection and namespace deletion look at nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource


class MetadataOnly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Any object, read without its spec and status. Never written."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


def metadata_only(resource: Resource[Any]) -> Resource[MetadataOnly]:
    """Return the same collection, read as metadata only."""
    return replace(resource, type=MetadataOnly)
