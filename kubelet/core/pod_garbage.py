"""Which dead containers and sandboxes of a pod that goes on are of no use any more.

Of each name one dead container is kept beside the newest, for `kubectl logs --previous` and lastState.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from kubelet.core.actions import Action, RemoveContainer, RemoveSandbox
from kubelet.core.observed import ContainerState, ObservedPod

KEPT: Final = 1
_DEAD: Final = frozenset({ContainerState.EXITED, ContainerState.CREATED})


def dead_to_remove(observed: ObservedPod, busy: AbstractSet[str]) -> list[Action]:
    """Return the removals; names that something is being done with are left alone."""
    containers: list[Action] = []
    for name in dict.fromkeys(container.name for container in observed.containers):
        if name not in busy:
            older = list(observed.named(name))[1:]
            dead = [container for container in older if container.state in _DEAD]
            containers += [RemoveContainer(each.id, each.log_path) for each in dead[KEPT:]]
    used = {container.sandbox_id for container in observed.containers}
    old = [sandbox for sandbox in observed.sandboxes[1:] if not sandbox.is_ready and sandbox.id not in used]
    return [*containers, *(RemoveSandbox(sandbox.id) for sandbox in old)]
