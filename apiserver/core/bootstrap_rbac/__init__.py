"""The roles that a cluster has from the beginning, and who has them: those of Kubernetes v1.36, and few of our own.

`rows` reads them from rows of text; `people` and `components` are there before the cluster is ready, `controllers`, which
nobody here needs, soon after. Names and rules are Kubernetes' own
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings), in the order in which a
real cluster has them; what is ours begins with `kubarium:`.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from apiserver.core.bootstrap_rbac import components, controllers, people

Json: TypeAlias = dict[str, Any]

NEEDED: Final[tuple[Json, ...]] = (*people.OBJECTS, *components.OBJECTS)
"""Without them nothing works, or somebody cannot do what they may; at a start the apiserver writes those that are missing,
or that lack something, before it is ready."""


def others() -> tuple[Json, ...]:
    """Return the roles of controllers that run elsewhere, and of what bootstraps a cluster; made when they are needed."""
    return tuple(controllers.objects())
