"""Which handler of the runtime a pod's sandbox is made by: the one that the pod's RuntimeClass names.

https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubelet.core.node_status import NO_FEATURES, Features
from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s import served
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resources import resource_of


class HandlerProblem(Exception):  # noqa: N818 - what an event of the pod says
    """The handler of a pod is not known now, or cannot give it what it asks for."""


@dataclass(frozen=True, slots=True)
class RuntimeHandlers:
    """Reads RuntimeClasses; `known` are the handlers of the runtime, as it has told the node."""

    api: Api
    known: Callable[[], Mapping[str, Features]] = dict

    async def of(self, pod: Pod) -> str:
        """Return the name of a pod's handler; "" for the runtime's default.

        Raises:
            HandlerProblem: the pod's RuntimeClass is not there, or cannot be read now; or the pod wants users of its own,
                and the handler has none to give.
        """
        handler = await self._named(pod)
        if pod.spec.hostUsers is False and not self.known().get(handler, NO_FEATURES).has_user_namespaces:
            raise HandlerProblem(f'RuntimeClass handler "{handler}" does not support user namespaces')
        return handler

    async def _named(self, pod: Pod) -> str:
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
