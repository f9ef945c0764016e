"""Which handler of the runtime a pod's sandbox is made by: the one that the pod's RuntimeClass names.

https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from dataclasses import dataclass

from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s import served
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resources import resource_of


class HandlerProblem(Exception):  # noqa: N818 - what an event of the pod says
    """The handler of a pod is not known now."""


@dataclass(frozen=True, slots=True)
class RuntimeHandlers:
    """Reads RuntimeClasses."""

    api: Api

    async def of(self, pod: Pod) -> str:
        """Return the name of a pod's handler; "" for the runtime's default.

        Raises:
            HandlerProblem: the pod's RuntimeClass is not there, or cannot be read now.
        """
        name = pod.spec.runtimeClassName
        if not name:
            return ""
        from machinery.model.k8s.node_v1 import RuntimeClass  # most nodes never need it

        try:
            found = await self.api.get(resource_of(served.RUNTIME_CLASSES, RuntimeClass), name)
        except NotFound as error:
            raise HandlerProblem(f'RuntimeClass "{name}" not found') from error
        except ApiError as error:
            raise HandlerProblem(f'RuntimeClass "{name}" cannot be read: {error.message}') from error
        return found.handler
