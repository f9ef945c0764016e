"""What a driver is given with a request about a volume: how it is used, secrets, tokens, facts of the pod."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from kubelet.core import csi
from kubelet.core.csi import Capability, Source
from kubelet.core.node_summary import Disk
from kubelet.core.volumes import fs_group
from kubelet.volumes.problem import SET_UP, VolumeProblem
from kubelet.volumes.sources import Sources
from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import Pod, SecretReference
from machinery.model.k8s.storage_v1 import CSIDriver
from machinery.model.resources import CSI_DRIVERS, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinery.wire.csi import messages


class Given:
    """Collects it from the apiserver."""

    def __init__(self, api: Api, sources: Sources) -> None:
        self._api = api
        self._sources = sources

    async def kind(self, source: Source) -> CSIDriver | None:
        """Return the object that describes a volume's driver; None where there is none.

        Raises:
            VolumeProblem: it cannot be read.
        """
        try:
            return await self._api.get(CSI_DRIVERS, source.driver)
        except NotFound:
            return None
        except ApiError as error:
            raise problem(source, f"kubernetes.io/csi: CSIDriver: {error.message}", SET_UP) from error

    async def secret(self, source: Source, reference: SecretReference | None) -> dict[str, str]:
        """Return what is in a Secret that a volume names.

        Raises:
            VolumeProblem: it cannot be read.
        """
        if reference is None:
            return {}
        try:
            found = await self._api.get(SECRETS, reference.name, namespace=reference.namespace)
            return csi.secret_texts(found)
        except (ApiError, ValueError) as error:
            named = f"{reference.namespace}/{reference.name}"
            raise problem(source, f"failed to get secret {named}: {error}", SET_UP) from error

    async def tokens(self, pod: Pod, kind: CSIDriver | None) -> dict[str, str]:
        """Return the tokens of the pod's ServiceAccount that a driver asks for.

        Raises:
            VolumeProblem: they cannot be had.
        """
        if kind is None or not kind.spec.tokenRequests:
            return {}
        found = {
            each.audience: await self._sources.token_status(pod, each.audience, each.expirationSeconds)
            for each in kind.spec.tokenRequests
        }
        return {csi.TOKENS: csi.tokens_text(found)}


def capability(source: Source, capabilities: Collection[int], pod: Pod) -> messages.VolumeCapability:
    """Return how a pod uses a volume."""
    from machinery.wire.csi import messages

    made = messages.VolumeCapability()
    made.access_mode.mode = csi.access_mode(source.access_modes, capabilities).value  # type: ignore[assignment]  # stubs
    if source.is_block:
        made.block.SetInParent()
        return made
    made.mount.SetInParent()
    made.mount.fs_type = source.fs_type
    made.mount.mount_flags.extend(source.mount_options)
    if (group := fs_group(pod)) is not None and Capability.VOLUME_MOUNT_GROUP in capabilities:
        made.mount.volume_mount_group = str(group)
    return made


def disk(usages: Iterable[messages.VolumeUsage]) -> Disk:
    """Return how full a volume is, as its driver says."""
    from machinery.wire.csi import messages

    sizes = {each.unit: each for each in usages}
    size = sizes.get(messages.VolumeUsage.BYTES, messages.VolumeUsage())
    inodes = sizes.get(messages.VolumeUsage.INODES, messages.VolumeUsage())
    return Disk(size.total, size.available, size.used, inodes.total, inodes.available)


def problem(source: Source, text: str, step: str) -> VolumeProblem:
    """Return why a volume cannot be had; one that is made for a pod has no name but the pod's."""
    return VolumeProblem(text, step=step, about="" if source.is_inline else source.name)
