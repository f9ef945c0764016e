"""Gets the images of containers, and of volumes, onto the node, by their pull policies.

Fed by the pod workers; asks the runtime's ImageService. Pulls of one image with the same credentials at the same
time are one pull. A failed pull is tried again after 10 s, doubled up to 300 s, for each pod and image.

An image that is here is not therefore for everyone: whoever has not pulled it, nor has the credentials of somebody who
has, pulls it by its own (`kubelet/image_permits.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from kubelet.core.image_access import PodCredential
from kubelet.core.images import (
    Credential,
    PullStep,
    matching,
    plan_pull,
    read_credentials,
    with_default_tag,
)
from kubelet.core.references import container_reference, pod_reference
from kubelet.image_permits import ImagePermits
from kubelet.referenced_objects import ObjectSource
from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Unavailable
from machinery.model.k8s.core_v1 import Container, ImageVolumeSource, ObjectReference, Pod, Secret
from machinery.model.log import SILENT, EventLog
from machinery.model.resources import SECRETS
from machinery.pb import cri_pb2 as cri

_BACKOFF: Final = Backoff(initial_s=10.0, cap_s=300.0)
_FORGIVEN_S: Final = 600.0  # without a failure for so long, the next one is the first again

_MOST_CREDENTIALS: Final = (
    64  # that an image is pulled with, one after the other: a secret may have thousands
)
_PRUNING_S: Final = 300.0  # between two looks for records of images that are gone

_PullKey: TypeAlias = tuple[str, tuple[PodCredential, ...]]
_BackoffKey: TypeAlias = tuple[str, str]  # pod uid, image


class ImageRuntime(Protocol):
    """What this needs of the CRI client."""

    async def image_status(self, image: str) -> cri.Image | None:
        """Describe an image, None where it is not on the node."""
        ...

    async def pull_image(
        self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None
    ) -> str:
        """Pull an image; return its reference."""
        ...

    async def list_images(self) -> Sequence[cri.Image]:
        """List the images on the node."""
        ...


class ImageProblem(Exception):  # noqa: N818 - it is what a waiting container shows
    """A container cannot have its image now: `reason` and `message` as its waiting state shows them."""

    def __init__(self, reason: str, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.retry_after_s = (
            retry_after_s  # cluster seconds until asking again can help; 0 where nobody knows
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    image: str
    policy: str  # when it is pulled
    about: ObjectReference  # what events of it are about


@dataclass(slots=True)
class _Failures:
    count: int
    at_s: float  # monotonic
    message: str


class Images:
    """The images of the node's containers."""

    def __init__(
        self,
        objects: ObjectSource,
        runtime: ImageRuntime,
        events: EventRecorder,
        clock: Clock,
        log: EventLog = SILENT,
        *,
        permits: ImagePermits,
    ) -> None:
        self._objects = objects
        self._runtime = runtime
        self._events = events
        self._clock = clock
        self._log = log
        self._permits = permits
        self._pruned_s = clock.monotonic()
        self._pulls: dict[_PullKey, asyncio.Future[str]] = {}
        self._failures: dict[_BackoffKey, _Failures] = {}
        self._volumes: dict[str, dict[str, str]] = {}  # by pod uid: the images of its volumes, by their names

    async def ensure(
        self, pod: Pod, container: Container, sandbox: cri.PodSandboxConfig | None = None
    ) -> str:
        """Have a container's image on the node; return the reference for CreateContainer.

        Raises:
            ImageProblem: it is not there; the events that users expect are recorded.
        """
        about = container_reference(pod, container.name)
        return await self._ensure(pod, _Wanted(container.image, container.imagePullPolicy, about), sandbox)

    async def ensure_volume(
        self, pod: Pod, name: str, image: ImageVolumeSource, sandbox: cri.PodSandboxConfig | None = None
    ) -> str:
        """Have the image that a pod's volume is; return its reference. It is looked for once for each pod.

        Raises:
            ImageProblem: it is not there; the events that users expect are recorded.
        """
        known = self._volumes.setdefault(pod.metadata.uid, {})
        if name not in known:
            wanted = _Wanted(image.reference, image.pullPolicy, pod_reference(pod))
            known[name] = await self._ensure(pod, wanted, sandbox)
        return known[name]

    async def _ensure(self, pod: Pod, wanted: _Wanted, sandbox: cri.PodSandboxConfig | None) -> str:
        tell = _Teller(self._events, wanted.about)
        try:
            name = with_default_tag(wanted.image)
        except ValueError as error:
            message = f'Failed to apply default image tag "{wanted.image}": {error}'
            tell(WARNING, "InspectFailed", message)
            raise tell.problem("InvalidImageName", message) from error
        try:
            found = await self._runtime.image_status(name)
        except ApiError as error:
            message = f'Failed to inspect image "{wanted.image}": {error.message}'
            tell(WARNING, "InspectFailed", message)
            raise tell.problem("ImageInspectError", message) from error
        match plan_pull(wanted.policy, present=found is not None):
            case PullStep.REFUSE:
                raise _never_pulled(wanted.image, tell)
            case PullStep.USE if found is not None and await self._permits.allow(
                name, found, lambda: self._credentials(pod, name)
            ):
                tell(
                    NORMAL,
                    "Pulled",
                    f'Container image "{wanted.image}" already present on machine and can be accessed by the pod',
                )
                return str(found.id)
        if wanted.policy == "Never":
            raise _never_pulled(wanted.image, tell)
        return await self._pull_with_backoff(pod, wanted.image, name, sandbox, tell)

    def forget(self, pod_uid: str) -> None:
        """Drop the backoffs of a pod that is gone, and its volumes' images."""
        self._volumes.pop(pod_uid, None)
        for key in [key for key in self._failures if key[0] == pod_uid]:
            del self._failures[key]

    async def prune(self) -> None:
        """Forget, now and then, who pulled images that are here no more.

        Raises:
            ApiError: the runtime does not answer.
        """
        if self._permits.has_records() and self._clock.monotonic() - self._pruned_s >= _PRUNING_S:
            self._pruned_s, listed_text = self._clock.monotonic(), self._permits.now_text()
            self._permits.prune(await self._runtime.list_images(), listed_text)

    async def _pull_with_backoff(
        self, pod: Pod, image: str, name: str, sandbox: cri.PodSandboxConfig | None, tell: _Teller
    ) -> str:
        key = (pod.metadata.uid, name)
        self._refuse_in_backoff(key, image, tell)
        tell(NORMAL, "Pulling", f'Pulling image "{image}"')
        begun_s = self._clock.monotonic()
        credentials = await self._credentials(pod, name)
        try:
            reference = await self._pull_once((name, credentials), sandbox)
        except ApiError as error:
            self._note_failure(key, error.message)
            tell(WARNING, "Failed", f'Failed to pull image "{image}": {error.message}')
            raise tell.problem("ErrImagePull", error.message, self._backoff_left(key)) from error
        self._failures.pop(key, None)
        took_s = self._clock.timescale.wall(self._clock.monotonic() - begun_s)
        tell(NORMAL, "Pulled", await self._pulled_text(image, name, took_s))
        return reference

    def _refuse_in_backoff(self, key: _BackoffKey, image: str, tell: _Teller) -> None:
        left_s = self._backoff_left(key)
        if left_s <= 0:
            return
        message = f'Back-off pulling image "{image}"'
        tell(NORMAL, "BackOff", message)
        raise tell.problem(
            "ImagePullBackOff", f"{message}: ErrImagePull: {self._failures[key].message}", left_s
        )

    def _backoff_left(self, key: _BackoffKey) -> float:
        if (failures := self._failures.get(key)) is None:
            return 0.0
        return _BACKOFF.delay(failures.count) - (self._clock.monotonic() - failures.at_s)

    def _note_failure(self, key: _BackoffKey, message: str) -> None:
        now_s, last = self._clock.monotonic(), self._failures.get(key)
        count = last.count + 1 if last and now_s - last.at_s < _FORGIVEN_S else 1
        self._failures[key] = _Failures(count, now_s, message)

    async def _pull_once(self, key: _PullKey, sandbox: cri.PodSandboxConfig | None) -> str:
        """Pull, or share a pull that is under way; where its leader is cancelled, one of the others leads on."""
        while (running := self._pulls.get(key)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pulls[key] = outcome
        try:
            outcome.set_result(await self._pull(key, sandbox))
        except ApiError as error:
            outcome.set_exception(error)
        finally:
            del self._pulls[key]
            if not outcome.done():
                outcome.cancel()
        return outcome.result()

    async def _pull(self, key: _PullKey, sandbox: cri.PodSandboxConfig | None) -> str:
        name, credentials = key
        with self._permits.pulling(name) as pull:
            pull.image_ref, pull.used = await self._pull_with_any(name, credentials, sandbox)
        return pull.image_ref

    async def _pull_with_any(
        self, name: str, credentials: Sequence[PodCredential], sandbox: cri.PodSandboxConfig | None
    ) -> tuple[str, PodCredential | None]:
        """Pull with one credential after the other; return the image's reference and the one that worked."""
        if not credentials:
            return await self._runtime.pull_image(name, None, sandbox), None
        failures: list[ApiError] = []
        for each in credentials:
            try:
                return await self._runtime.pull_image(name, _auth(each.credential), sandbox), each
            except ApiError as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        texts = ", ".join(dict.fromkeys(error.message for error in failures))
        raise Unavailable(f"[{texts}]")

    async def _credentials(self, pod: Pod, name: str) -> tuple[PodCredential, ...]:
        found: list[PodCredential] = []
        missing: list[str] = []
        for reference in pod.spec.imagePullSecrets:
            if not reference.name:
                continue
            try:
                secret = await self._objects.get(SECRETS, pod, reference.name)
                found += matching(_of_secret(secret), name)[: _MOST_CREDENTIALS - len(found)]
            except (ApiError, ValueError) as error:
                self._log.warning(
                    "pull_secret_skipped", secret=reference.name, pod=pod.metadata.name, error=error
                )
                missing.append(reference.name)
        if missing:
            self._events.record(pod, WARNING, "FailedToRetrieveImagePullSecret", _missing_text(missing))
        return tuple(matching(found, name))

    async def _pulled_text(self, image: str, name: str, took_s: float) -> str:
        took = _duration(took_s)
        text = f'Successfully pulled image "{image}" in {took} ({took} including waiting).'
        try:
            found = await self._runtime.image_status(name)
        except ApiError:  # the size is only for people
            found = None
        return f"{text} Image size: {found.size if found else 0} bytes."


class _Teller:
    """Records events about what one image is for."""

    def __init__(self, events: EventRecorder, about: ObjectReference) -> None:
        self._events = events
        self._about = about

    def __call__(self, type_: str, reason: str, message: str) -> None:
        self._events.record(self._about, type_, reason, message)

    def problem(self, reason: str, message: str, retry_after_s: float = 0.0) -> ImageProblem:
        """Record what the user is shown last, and return the error."""
        self(WARNING, "Failed", f"Error: {reason}")
        return ImageProblem(reason, message, retry_after_s=max(0.0, retry_after_s))


def _never_pulled(image: str, tell: _Teller) -> ImageProblem:
    message = f'Container image "{image}" is not present with pull policy of Never'
    tell(WARNING, "ErrImageNeverPull", message)
    return tell.problem("ErrImageNeverPull", message)


def _of_secret(secret: Secret) -> list[PodCredential]:
    """Read a pull secret's credentials, with the secret itself.

    Raises:
        ValueError: its content is no docker config.
    """
    meta = secret.metadata
    return [
        PodCredential(credential, meta.namespace, meta.name, meta.uid)
        for credential in read_credentials(secret)
    ]


def _auth(credential: Credential) -> Any:
    return cri.AuthConfig(
        username=credential.username,
        password=credential.password,
        identity_token=credential.identity_token,
        server_address=credential.registry.partition("/")[0],
    )


def _missing_text(names: Sequence[str]) -> str:
    return (
        f"Unable to retrieve some image pull secrets ({', '.join(names)}); "
        "attempting to pull the image may not succeed."
    )


def _duration(wall_s: float) -> str:
    return f"{wall_s * 1000:.0f}ms" if wall_s < 1 else f"{wall_s:.3f}".rstrip("0").rstrip(".") + "s"
