"""The door to the three kinds of patch; a configuration that is applied is another matter (`apiserver.core.apply`)."""

from __future__ import annotations

from typing import Any

from apiserver.core.patch.json_patch import json_patch
from apiserver.core.patch.merge_patch import merge_patch
from apiserver.core.patch.strategic import strategic_merge
from apiserver.core.schema import Schemas
from apiserver.core.values import Json
from machinery.model.errors import BadRequest
from machinery.model.requests import PatchType


def apply_patch(schemas: Schemas, definition: str, patch_type: PatchType, current: Json, patch: Any) -> Json:
    """Return `current` with the patch applied; neither is changed, though the result may share parts with both.

    `definition` is the schema of `current` (io.k8s.api.apps.v1.Deployment). The result is not normalized: it may
    have unknown fields and values of the wrong type, as the patch has them; `writes.read` finds them.

    Raises:
        BadRequest: the patch is malformed; the message names the place.
        Invalid: it is well-formed and cannot be applied: a path that is not there, a test that fails.
        TooLarge: it has too many operations.
        ValueError: it is no patch, but a configuration that is applied.
    """
    try:
        return _applied(schemas, definition, patch_type, current, patch)
    except RecursionError as error:
        raise BadRequest("the patch is nested too deeply") from error


def _applied(schemas: Schemas, definition: str, patch_type: PatchType, current: Json, patch: Any) -> Json:
    if patch_type is PatchType.JSON:
        return json_patch(current, patch)
    if not isinstance(patch, dict):
        raise BadRequest("the patch has to be a JSON object")
    if patch_type is PatchType.MERGE:
        return merge_patch(current, patch)
    if patch_type is PatchType.APPLY:
        raise ValueError("a configuration is applied by apiserver.core.apply")
    return strategic_merge(schemas.struct(definition), current, patch)
