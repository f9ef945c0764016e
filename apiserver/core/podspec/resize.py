"""In-place resize: what the subresource `resize` may change of a pod: how much cpu and memory it and its containers have.

https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.ephemeral import with_old_metadata
from apiserver.core.rules import WriteContext
from apiserver.core.values import Json, metadata, spec
from machinery.model import quantity
from machinery.model.errors import Cause

_MIRROR: Final = "kubernetes.io/config.mirror"
_LISTS: Final = ("containers", "initContainers")
_RESIZED: Final = frozenset({"cpu", "memory"})
_TAKEN: Final = ("resources", "resizePolicy")
_ONLY: Final = "only cpu and memory resources are mutable"


def only_resized(new: Json, old: Json, _context: WriteContext) -> Json:
    """Return a pod with other resources of its containers: nothing else of it can be changed this way.

    Where containers were added, removed or renamed they are left as they are sent, for `resized_causes` to tell.
    """
    lists = {name: (spec(new).get(name) or [], spec(old).get(name) or []) for name in _LISTS}
    same = all(
        [_name(each) for each in after] == [_name(each) for each in before]
        for after, before in lists.values()
    )
    own = dict(spec(old))
    for name, (after, before) in lists.items():
        if before or after:
            pairs = zip(after, before, strict=True) if same else ()
            own[name] = [_resized(*pair) for pair in pairs] if same else after
    if "resources" in spec(new):
        own["resources"] = spec(new)["resources"]
    return {**with_old_metadata(new, old), "spec": own}


def resized_causes(new: Json, old: Json, new_qos: str, old_qos: str) -> list[Cause]:
    """Check a change of the resources of a pod; `…_qos` are the classes that it has with the one and the other."""
    if _MIRROR in (metadata(old).get("annotations") or {}):
        return [field_errors.forbidden("", "static pods cannot be resized")]
    found: list[Cause] = []
    if new_qos != old_qos:
        text = "Pod QOS Class may not change as a result of resizing"
        found.append(field_errors.invalid("spec", old_qos, text))
    if not _is_supported(old):
        found.append(field_errors.forbidden("spec", "Pod running on node without support for resize"))
    found += _whole_causes(spec(new), spec(old))
    if misplaced := list(_order_causes(spec(new), spec(old))):
        return [*found, *misplaced]
    for name in reversed(_LISTS):
        pairs = zip(spec(new).get(name) or [], spec(old).get(name) or [], strict=True)
        for index, (after, before) in enumerate(pairs):
            found += _removed_causes(after, before, f"spec.{name}[{index}].resources")
    pairs = zip(spec(new).get("containers") or [], spec(old).get("containers") or [], strict=True)
    found += [
        field_errors.forbidden("spec", _ONLY) for after, before in pairs if _apart(after) != _apart(before)
    ]
    pairs = zip(spec(new).get("initContainers") or [], spec(old).get("initContainers") or [], strict=True)
    for index, (after, before) in enumerate(pairs):
        found += _init_causes(after, before, f"spec.initContainers[{index}]")
    return found


def _whole_causes(new: Json, old: Json) -> list[Cause]:
    """Check a change of what the pod has as a whole (KEP-5419)."""
    found = _removed_causes(new, old, "spec.resources")
    if _left(new) != _left(old):
        found.append(field_errors.forbidden("spec.resources", _ONLY))
    return found


def _init_causes(after: Json, before: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    if _apart(after) != _apart(before):
        text = "only cpu and memory resources for init or sidecar containers are mutable"
        found.append(field_errors.forbidden(path, text))
    restarts = any(
        each.get("restartPolicy") == "RestartContainer" for each in after.get("resizePolicy") or ()
    )
    if after != before and after.get("restartPolicy") != "Always" and restarts:
        text = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
        found.append(field_errors.forbidden(path, text))
    return found


def _name(container: Json) -> str:
    return str(container.get("name", ""))


def _resized(new: Json, old: Json) -> Json:
    result = {name: value for name, value in old.items() if name not in _TAKEN}
    return result | {name: new[name] for name in _TAKEN if name in new}


def _is_supported(pod: Json) -> bool:
    """Whether the pod's node says what its running containers have."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    running = (each for each in statuses if (each.get("state") or {}).get("running"))
    first = next(running, None)
    return first is None or first.get("resources") is not None


def _order_causes(new: Json, old: Json) -> Iterator[Cause]:
    for name in _LISTS:
        after, before = new.get(name) or [], old.get(name) or []
        if len(after) != len(before):
            yield field_errors.forbidden(f"spec.{name}", f"{name} may not be added or removed on resize")
            continue
        for index, pair in enumerate(zip(after, before, strict=True)):
            if _name(pair[0]) != _name(pair[1]):
                text = f"{name} may not be renamed or reordered on resize"
                yield field_errors.forbidden(f"spec.{name}[{index}].name", text)


def _removed_causes(new: Json, old: Json, path: str) -> list[Cause]:
    after, before = new.get("resources") or {}, old.get("resources") or {}
    return [
        field_errors.forbidden(f"{path}.{name}", f"resource {name} cannot be removed")
        for name in ("requests", "limits")
        if (before.get(name) or {}).keys() - (after.get(name) or {}).keys()
    ]


def _apart(container: Json) -> Json:
    """Return a container without what can be resized."""
    return {**container, "resources": _left(container)}


def _left(holder: Json) -> Json:
    """Return the resources of a container or pod without cpu and memory; amounts are compared by their value."""
    resources = holder.get("resources") or {}
    left: Json = {
        name: {
            key: quantity.parse(amount)
            for key, amount in (resources.get(name) or {}).items()
            if key not in _RESIZED
        }
        for name in ("requests", "limits")
    }
    return {name: value for name, value in left.items() if value}
