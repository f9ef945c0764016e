"""The pulls of images, and who may use what is on the node."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from kubelet.core.image_access import Verification, VerificationPolicy
from kubelet.image_permits import ImagePermits
from kubelet.image_records import ImageRecords
from kubelet.images import ImageProblem, Images
from machinery.model.errors import NotFound, Unavailable
from machinery.model.k8s.core_v1 import ImageVolumeSource, LocalObjectReference, Secret
from machinery.model.resources import SECRETS
from machinery.pb import cri_pb2 as cri
from tests.support.builders import container, meta, pod
from tests.support.kubelet_node import KeptEvents, ReadAlways, ScriptedRuntime
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock

IMAGE = "r.example.com/app:1"


def _secret(username: str = "u", password: str = "p", name: str = "pull") -> Secret:
    auths = {
        "r.example.com": {"username": username, "password": password},
        "other.example.com": {"username": "x"},
    }
    encoded = b64encode(json.dumps({"auths": auths}).encode()).decode()
    data, type_ = {".dockerconfigjson": encoded}, "kubernetes.io/dockerconfigjson"
    return Secret(metadata=meta(name, "default"), type=type_, data=data)


class _World:
    """One kubelet's images, which can begin anew on the same folder."""

    def __init__(self, clock: VirtualClock, server: LocalRegistry, folder: Path) -> None:
        self.clock, self.server, self.folder = clock, server, folder
        self.runtime, self.events = ScriptedRuntime(), KeptEvents()
        self.begin_anew()

    def begin_anew(self, verification: Verification | None = None) -> None:
        records = ImageRecords(self.folder)
        permits = ImagePermits(records, verification or Verification(), self.clock)
        source = ReadAlways(self.server.api("kubelet"))
        self.images = Images(source, self.runtime, self.events, self.clock, permits=permits)

    async def ensure(
        self, image: str = "app:1", policy: str = "IfNotPresent", *secrets: str, **spec: object
    ) -> str:
        box = container(image=image, imagePullPolicy=policy)
        references = [LocalObjectReference(name=name) for name in secrets]
        return await self.images.ensure(pod(containers=[box], imagePullSecrets=references, **spec), box)

    async def problem(self, *args: str) -> ImageProblem:
        with pytest.raises(ImageProblem) as caught:
            await self.ensure(*args)
        return caught.value

    @property
    def pulled_with(self) -> list[str]:
        """The users of all pulls, "" for none."""
        return [auth.username if auth else "" for _, auth in self.runtime.pulls]

    async def knows(self, *secrets: Secret) -> None:
        for secret in secrets:
            await self.server.given(SECRETS, secret)

    def wants_credentials(self) -> None:
        """Make the registry refuse whoever has none, or wrong ones."""
        self.runtime.refuses = lambda auth: not auth or auth.password != "p"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[_World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield _World(clock, server, tmp_path)


async def test_a_missing_image_is_pulled_once_and_then_found(world: _World):
    """The first container pulls, the second says that the image is there."""
    assert await world.ensure() == "sha256:app:1"
    assert await world.ensure() == "sha256:app:1"
    assert [name for name, _ in world.runtime.pulls] == ["app:1"]
    assert world.events.reasons == ["Pulling", "Pulled", "Pulled"]
    assert world.events.messages[0] == 'Pulling image "app:1"'
    assert world.events.messages[1].startswith('Successfully pulled image "app:1" in ')
    assert world.events.messages[1].endswith("Image size: 7 bytes.")
    assert world.events.messages[2] == (
        'Container image "app:1" already present on machine and can be accessed by the pod'
    )
    assert world.events.all[0][0].fieldPath == "spec.containers{main}"


async def test_a_failed_pull_backs_off_and_is_tried_again(world: _World):
    """ErrImagePull, then ImagePullBackOff for 10 s, then the next try, then 20 s."""
    world.runtime.pull_error = NotFound("app:1: not found")
    first = await world.problem()
    assert (first.reason, first.message, first.retry_after_s) == ("ErrImagePull", "app:1: not found", 10)
    waiting = await world.problem()
    assert waiting.reason == "ImagePullBackOff"
    assert waiting.message == 'Back-off pulling image "app:1": ErrImagePull: app:1: not found'
    assert world.events.messages[-2:] == ['Back-off pulling image "app:1"', "Error: ImagePullBackOff"]
    await world.clock.advance(10)
    assert (await world.problem()).retry_after_s == 20
    assert len(world.runtime.pulls) == 2
    await world.clock.advance(20)
    world.runtime.pull_error = None
    assert await world.ensure() == "sha256:app:1"


async def test_pulls_of_one_image_at_once_are_one_pull(world: _World):
    """Twenty pods that want an image at once cost one download."""
    world.runtime.during_pull = lambda: world.clock.sleep(5)
    assert set(await asyncio.gather(*(world.ensure() for _ in range(20)))) == {"sha256:app:1"}
    assert len(world.runtime.pulls) == 1


async def test_a_cancelled_pull_is_taken_over(world: _World):
    """Where the pod that pulls is deleted, another one that waits goes on."""
    world.runtime.during_pull = lambda: world.clock.sleep(5)
    leader = asyncio.ensure_future(world.ensure())
    follower = asyncio.ensure_future(world.ensure())
    await world.clock.advance(1)
    leader.cancel()
    assert await follower == "sha256:app:1"
    assert len(world.runtime.pulls) == 2
    assert leader.cancelled()


async def test_never_and_wrong_names_have_reasons_of_their_own(world: _World):
    """ErrImageNeverPull and InvalidImageName are what users look for."""
    never = await world.problem("app:1", "Never")
    assert (never.reason, never.message) == (
        "ErrImageNeverPull",
        'Container image "app:1" is not present with pull policy of Never',
    )
    assert (await world.problem("App:1")).reason == "InvalidImageName"
    assert "InspectFailed" in world.events.reasons


async def test_pull_secrets_are_used_and_missing_ones_are_told(world: _World):
    """Each fitting credential is tried; a secret that is not there is an event, not an error."""
    await world.knows(_secret())
    await world.ensure(IMAGE, "IfNotPresent", "pull", "gone")
    [(_, auth)] = world.runtime.pulls
    assert auth == cri.AuthConfig(username="u", password="p", server_address="r.example.com")
    assert (
        "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed."
        in world.events.messages
    )


async def test_an_image_is_pulled_with_a_bounded_number_of_credentials(world: _World):
    """One secret may have thousands that fit, and a pod may name thousands of secrets."""
    world.wants_credentials()
    names = [f"s{number}" for number in range(70)]
    await world.knows(*(_secret(name, "wrong", name=name) for name in names))
    await world.problem(IMAGE, "IfNotPresent", *names)
    assert len(world.pulled_with) == 64


# --- images that are here


PRESENT = f'Container image "{IMAGE}" already present on machine and can be accessed by the pod'


async def test_an_image_that_was_pulled_with_credentials_is_not_for_pods_without(world: _World):
    """They pull by their own; the registry refuses, and Never allows no pull. Those with the credentials just use it."""
    world.wants_credentials()
    await world.knows(_secret(), _secret("other", "wrong", name="wrong"))
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    refused = await world.problem(IMAGE)
    assert (refused.reason, refused.message) == ("ErrImagePull", "no basic auth credentials")
    never = await world.problem(IMAGE, "Never")
    assert (never.reason, never.message) == (
        "ErrImageNeverPull",
        f'Container image "{IMAGE}" is not present with pull policy of Never',
    )
    await world.clock.advance(10)
    assert (await world.problem(IMAGE, "IfNotPresent", "wrong")).reason == "ErrImagePull"
    assert world.pulled_with == ["u", "", "other"]
    await world.ensure(IMAGE, "Never", "pull")
    assert world.events.messages[-1] == PRESENT
    assert world.pulled_with == ["u", "", "other"]


async def test_a_later_kubelet_knows_who_has_pulled_what(world: _World):
    """The records are files; a record that cannot be read lets nobody in."""
    world.wants_credentials()
    await world.knows(_secret())
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    world.begin_anew()
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    assert (await world.problem(IMAGE)).reason == "ErrImagePull"
    [record] = _files(world.folder / "image_manager" / "pulled")
    record.write_text("{")
    world.begin_anew()
    assert (await world.problem(IMAGE)).reason == "ErrImagePull"
    await world.clock.advance(10)
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    assert world.pulled_with == ["u", "", "", "u"]
    world.begin_anew()
    await world.ensure(IMAGE, "Never", "pull")


async def test_records_are_kept_as_kubernetes_kubelet_keeps_them(world: _World):
    """Without the credentials themselves."""
    stored = await world.server.given(SECRETS, _secret())
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    await world.ensure("app:1")
    pulling, pulled = (world.folder / "image_manager" / name for name in ("pulling", "pulled"))
    assert _files(pulling) == []
    records = {each["imageRef"]: each for each in (json.loads(file.read_bytes()) for file in _files(pulled))}
    private, public = records[f"sha256:{IMAGE}"], records["sha256:app:1"]
    assert public["credentialMapping"] == {"docker.io/library/app": {"nodePodsAccessible": True}}
    assert (private["kind"], private["lastUpdatedTime"]) == ("ImagePulledRecord", "2026-01-01T00:00:00Z")
    [secret] = private["credentialMapping"]["r.example.com/app"]["kubernetesSecrets"]
    assert len(secret.pop("credentialHash")) == 64
    assert secret == {"uid": stored.metadata.uid, "namespace": "default", "name": "pull"}
    name = "sha256-" + sha256(f"sha256:{IMAGE}".encode()).hexdigest()
    assert name in [file.name for file in _files(pulled)]
    assert [file.name for file in _files(world.folder) if b'"p"' in file.read_bytes()] == []


async def test_the_same_credentials_in_another_secret_let_in_and_so_do_new_ones_in_the_same_secret(
    world: _World,
):
    """Both are remembered: the other secret's next credentials let in, too."""
    await world.knows(_secret(), _secret(name="copy"), _secret("new", "q", name="later"))
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    await world.ensure(IMAGE, "Never", "copy")
    rotated = {"data": _secret("rotated", "r").data}
    await world.server.api().patch(SECRETS, "copy", rotated, namespace="default")
    await world.ensure(IMAGE, "Never", "copy")
    assert (await world.problem(IMAGE, "Never", "later")).reason == "ErrImageNeverPull"
    assert world.pulled_with == ["u"]


@pytest.mark.parametrize(
    ("verification", "image", "allowed"),
    [
        (Verification(), IMAGE, True),
        (Verification(VerificationPolicy.NEVER), IMAGE, True),
        (Verification(VerificationPolicy.ALWAYS), IMAGE, False),
        (Verification(VerificationPolicy.NOT_ALLOWLISTED, ("r.example.com/app",)), IMAGE, True),
        (Verification(VerificationPolicy.NOT_ALLOWLISTED, ("r.example.com/other",)), IMAGE, False),
    ],
)
async def test_preloaded_images_are_for_everyone_unless_the_policy_says_otherwise(
    world: _World, verification: Verification, image: str, *, allowed: bool
):
    """An image that was there before the kubelet pulled it."""
    world.runtime.images[image] = cri.Image(id=f"sha256:{image}", repo_tags=[image])
    world.begin_anew(verification)
    if allowed:
        assert await world.ensure(image, "Never") == f"sha256:{image}"
    else:
        assert (await world.problem(image, "Never")).reason == "ErrImageNeverPull"


async def test_an_image_that_was_pulled_without_credentials_is_for_everyone(world: _World):
    """And no secret is read for it."""
    await world.ensure(IMAGE)
    await world.ensure(IMAGE, "Never", "no-such-secret")
    assert "FailedToRetrieveImagePullSecret" not in world.events.reasons


async def test_a_kubelet_that_is_killed_in_a_pull_lets_nobody_in(world: _World):
    """The pull may have ended after it, under any name of the image: with whose credentials nobody knows."""
    world.wants_credentials()
    await world.knows(_secret())
    world.runtime.during_pull = lambda: world.clock.sleep(5)
    pulling = asyncio.ensure_future(world.ensure(IMAGE, "IfNotPresent", "pull"))
    await world.clock.advance(1)
    world.runtime.images[IMAGE] = world.runtime.images["r.example.com/app:2"] = cri.Image(
        id="sha256:1", repo_tags=[IMAGE, "r.example.com/app:2"]
    )
    pulling.cancel()
    await asyncio.wait([pulling])
    world.runtime.during_pull = None
    world.begin_anew()
    for image in ("r.example.com/app:2", IMAGE):
        assert (await world.problem(image)).reason == "ErrImagePull"
        assert (await world.problem(image, "Never")).reason == "ErrImageNeverPull"


async def test_a_pull_that_failed_for_certain_leaves_nothing(world: _World):
    """One that nobody knows the end of stays noted, until it has worked."""
    world.runtime.pull_error = NotFound("no such image")
    await world.problem("app:1")
    assert _files(world.folder) == []
    world.runtime.pull_error = Unavailable("the registry does not answer")
    await world.problem("app:2")
    assert len(_files(world.folder)) == 1
    await world.clock.advance(10)
    world.runtime.pull_error = None
    await world.ensure("app:2")
    assert [file.parent.name for file in _files(world.folder)] == ["pulled"]


async def test_without_a_disk_nothing_is_pulled_that_nobody_would_know_of(world: _World):
    """The pod is told why."""
    folder = world.folder / "image_manager" / "pulling"
    folder.rmdir()
    problem = await world.problem("app:1")
    assert problem.reason == "ErrImagePull"
    assert problem.message.startswith('Failed to record image pull intent for container image "app:1": ')
    assert world.runtime.pulls == []
    folder.mkdir()
    await world.clock.advance(10)
    await world.ensure("app:1")


async def test_records_of_images_that_are_gone_go_after_a_while(world: _World):
    """What comes back by another way is preloaded then."""
    world.wants_credentials()
    await world.knows(_secret())
    await world.ensure(IMAGE, "IfNotPresent", "pull")
    image = world.runtime.images.pop(IMAGE)
    await world.images.prune()
    assert len(_files(world.folder)) == 1
    await world.clock.advance(300)
    await world.images.prune()
    assert _files(world.folder) == []
    world.runtime.images[IMAGE] = image
    await world.ensure(IMAGE, "Never")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_an_image_that_is_a_volume_is_pulled_once_for_its_pod(world: _World) -> None:
    """Whatever its policy says; events are about the pod, problems those of containers' images."""
    one, image = pod(), ImageVolumeSource(reference="data", pullPolicy="Always")
    world.runtime.pull_error = NotFound("no such manifest")
    with pytest.raises(ImageProblem) as caught:
        await world.images.ensure_volume(one, "data", image)
    assert (caught.value.reason, caught.value.message) == ("ErrImagePull", "no such manifest")
    with pytest.raises(ImageProblem, match="ImagePullBackOff"):
        await world.images.ensure_volume(one, "data", image)
    world.runtime.pull_error = None
    await world.clock.sleep(11)
    for _ in range(3):
        assert await world.images.ensure_volume(one, "data", image) == "sha256:data:latest"
    assert len(world.pulled_with) == 2
    assert {about.fieldPath for about, _, _, _ in world.events.all} == {""}
    world.images.forget(one.metadata.uid)
    await world.images.ensure_volume(one, "data", image)
    assert len(world.pulled_with) == 3
    never = ImageVolumeSource(reference="other", pullPolicy="Never")
    with pytest.raises(ImageProblem, match="ErrImageNeverPull"):
        await world.images.ensure_volume(one, "other", never)
