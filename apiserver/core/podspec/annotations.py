"""Annotations of pods and templates that mean something to Kubernetes.

https://kubernetes.io/docs/reference/labels-annotations-taints/
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.defaults import containers
from apiserver.core.values import Json
from machinery.model.errors import Cause

MIRROR: Final = "kubernetes.io/config.mirror"
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"  # and a container's name
_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_INT32: Final = 2**31
_NUMBER: Final = re.compile("0|-?[1-9][0-9]{0,9}", re.ASCII)
_PROFILES: Final = frozenset({"", "runtime/default", "unconfined"})


def annotation_causes(annotations: Json, spec: Json, path: str) -> list[Cause]:
    """Check annotations of a pod or template; `spec`: the pod's."""
    found: list[Cause] = []
    if not annotations:
        return found
    if MIRROR in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        found.append(field_errors.invalid(f"{path}[{MIRROR}]", annotations[MIRROR], text))
    if _COST in annotations and not _is_int32(annotations[_COST]):
        found.append(field_errors.invalid(f"{path}[{_COST}]", annotations[_COST], "must be a 32bit integer"))
    known = {container.get("name", "") for container in containers(spec)}
    for key, profile in _app_armor(annotations).items():
        name = key.removeprefix(_APP_ARMOR)
        if name not in known:
            found.append(field_errors.invalid(f"{path}[{key}]", name, "container not found"))
        if profile not in _PROFILES and not profile.startswith("localhost/"):
            text = f'invalid AppArmor profile name: "{profile}"'
            found.append(field_errors.invalid(f"{path}[{key}]", profile, text))
    return found


def annotation_update_causes(new: Json, old: Json, path: str) -> list[Cause]:
    """Check that what says how a pod was made stays as it is."""
    found: list[Cause] = []
    for key in sorted({*new, *old}):
        if new.get(key) == old.get(key):
            continue
        what = "mirror pod annotation" if key == MIRROR else "AppArmor annotations"
        if key == MIRROR or key.startswith(_APP_ARMOR):
            verb = "remove or update" if key in old else "add"
            found.append(field_errors.forbidden(f"{path}[{key}]", f"may not {verb} {what}"))
    return found


def unenforced_annotations(annotations: Json, path: str) -> tuple[str, ...]:
    """Return what fields have taken the place of, and nobody reads here."""
    return tuple(
        f"{path}[{key}] has no effect: use the field securityContext.appArmorProfile"
        for key in _app_armor(annotations)
    )


def _app_armor(annotations: Json) -> Json:
    return {key: value for key, value in annotations.items() if key.startswith(_APP_ARMOR)}


def _is_int32(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and -_INT32 <= int(text) < _INT32
