"""Patches: how a client changes a part of an object. Pure; the registry reads, patches, admits, validates, stores.

json_patch   RFC 6902: a list of operations
merge_patch  RFC 7386: the parts that change, null removes
strategic    Kubernetes' own: a merge patch that knows by the schema how lists merge
refused      the answer where the result does not fit
"""

from __future__ import annotations

from apiserver.core.patch.apply import apply_patch
from apiserver.core.patch.refused import refused

__all__ = ["apply_patch", "refused"]
