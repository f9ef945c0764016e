"""Stand-ins for what surrounds the kubelet's node half: a runtime that is told what to answer, events that are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from machinery.client.api import Api
from machinery.model.errors import ApiError, Unauthorized
from machinery.model.k8s.core_v1 import Pod
from machinery.pb import cri_pb2 as cri


class KeptEvents:
    """Keeps events instead of writing them."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, str, str, str]] = []

    def record(self, obj: Any, type_: str, reason: str, message: str) -> None:
        self.all.append((obj, type_, reason, message))

    @property
    def reasons(self) -> list[str]:
        return [reason for _, _, reason, _ in self.all]

    @property
    def messages(self) -> list[str]:
        return [message for _, _, _, message in self.all]


class ReadAlways:
    """Reads what pods refer to from the server each time (`kubelet.referenced_objects.ObjectSource`)."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, resource: Any, pod: Pod, name: str) -> Any:
        return await self._api.get(resource, name, namespace=pod.metadata.namespace)


class ScriptedRuntime:
    """A CRI client whose answers a test sets."""

    def __init__(self) -> None:
        self.images: dict[str, cri.Image] = {}
        self.pulls: list[tuple[str, Any]] = []
        self.pull_error: ApiError | None = None
        self.refuses: Callable[[Any], bool] = lambda _auth: False
        self.during_pull: Callable[[], Awaitable[None]] | None = None
        self.error: ApiError | None = None  # for everything that asks how the runtime is
        self.network_ready = False
        self.conditions: list[cri.RuntimeCondition] = []  # beside those that every runtime has
        self.cidrs: list[str] = []
        self.exec_answers: list[cri.ExecSyncResponse | ApiError] = []
        self.reopened: list[str] = []
        self.on_reopen: Callable[[str], None] = lambda _id: None

    async def image_status(self, image: str) -> cri.Image | None:
        return self.images.get(image)

    async def pull_image(self, image: str, auth: Any, _sandbox: Any) -> str:
        self.pulls.append((image, auth))
        if self.during_pull:
            await self.during_pull()
        if self.pull_error:
            raise self.pull_error
        if self.refuses(auth):
            raise Unauthorized("no basic auth credentials")
        self.images[image] = cri.Image(id=f"sha256:{image}", repo_tags=[image], size=7)
        return f"sha256:{image}"

    async def list_images(self) -> Sequence[cri.Image]:
        return list(self.images.values())

    async def version(self) -> cri.VersionResponse:
        self._fail()
        return cri.VersionResponse(runtime_name="docker", runtime_version="20.10.24")

    async def status(self) -> cri.StatusResponse:
        self._fail()
        conditions = [
            cri.RuntimeCondition(type="RuntimeReady", status=True),
            cri.RuntimeCondition(
                type="NetworkReady",
                status=self.network_ready,
                reason="" if self.network_ready else "NetworkPluginNotReady",
                message="" if self.network_ready else "no pod range",
            ),
        ]
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=[*conditions, *self.conditions]))

    async def runtime_config(self) -> cri.RuntimeConfigResponse:
        self._fail()
        return cri.RuntimeConfigResponse(linux=cri.LinuxRuntimeConfiguration(cgroup_driver=cri.CGROUPFS))

    async def update_runtime_config(self, pod_cidr: str) -> None:
        self._fail()
        self.cidrs.append(pod_cidr)
        self.network_ready = True

    async def exec_sync(
        self, _container_id: str, _command: Sequence[str], _timeout_s: float
    ) -> cri.ExecSyncResponse:
        answer = self.exec_answers.pop(0) if len(self.exec_answers) > 1 else self.exec_answers[0]
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def reopen_container_log(self, container_id: str) -> None:
        self.reopened.append(container_id)
        self.on_reopen(container_id)

    def _fail(self) -> None:
        if self.error:
            raise self.error
