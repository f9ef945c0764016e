"""Image names, credentials and views."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from machinery.pb import cri_pb2 as cri

NO_TAG: Final = "<none>:<none>"
PAUSE_IMAGE: Final = "kubarium/pause:1"
PRIVATE: Final = "kubarium/pulled-with-credentials"  # the name that an image has which came so
HUB: Final = "https://index.docker.io/v1/"


def split_reference(name: str) -> tuple[str, str]:
    """Split a name into repository and tag or digest, as the engine wants them for a pull; no tag means latest."""
    repository, at, digest = name.partition("@")
    if at:
        return repository, digest
    path, colon, tag = name.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (name, "latest")


def registry_auth(auth: Any, image: str) -> str:
    """Write credentials as the engine's X-Registry-Auth header; "" if there are none.

    Raises:
        ValueError: `auth` is not the base64 of user:password.
    """
    username, password = auth.username, auth.password
    if auth.auth and not username:
        username, _, password = base64.b64decode(auth.auth, validate=True).decode().partition(":")
    fields = {
        "username": username,
        "password": password,
        "identitytoken": auth.identity_token,
        "registrytoken": auth.registry_token,
    }
    given = {key: value for key, value in fields.items() if value}
    if not given:
        return ""
    given["serveraddress"] = auth.server_address or registry(image)
    return base64.urlsafe_b64encode(json.dumps(given).encode()).decode()


def registry(image: str) -> str:
    """Return the registry that a name means."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else HUB


def familiar(name: str) -> str:
    """Return a name as the engine lists it: without its own registry's name, with a tag or a digest."""
    for prefix in (
        "docker.io/library/",
        "index.docker.io/library/",
        "docker.io/",
        "index.docker.io/",
        "library/",
    ):
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    repository, tag = split_reference(name)
    return f"{repository}@{tag}" if ":" in tag else f"{repository}:{tag}"


def has_other_names(raw: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether an image of the engine's list or inspect has a tag, or a digest in a repository, beside these names."""
    known = set(names)
    repositories = {name.partition("@")[0] if "@" in name else split_reference(name)[0] for name in known}
    image = view_image(raw)
    return not known.issuperset(image.repo_tags) or not repositories.issuperset(
        digest.partition("@")[0] for digest in image.repo_digests
    )


def is_archive(argument: str) -> bool:
    """Whether an argument means an archive of images: a path (/…, ./…, ../…), or a name that ends as archives do."""
    return argument.startswith(("/", "./", "../")) or argument.endswith((".tar", ".tar.gz", ".tgz"))


def in_registry(name: str, host: str) -> str:
    """Return the name that an image has in another registry: its path and tag, without the registry that it names now.

    Raises:
        ValueError: the name has no tag (a digest cannot be pushed to).
    """
    if "@" in name or name.startswith("sha256:"):
        raise ValueError(f"{name!r} cannot be pushed: give it a name with a tag (`docker tag`)")
    repository, tag = split_reference(name.removeprefix("docker.io/"))
    path = (
        repository.removeprefix("library/") if registry(repository) == HUB else repository.partition("/")[2]
    )
    return f"{host}/{path}:{tag}"


def private_tag(image_id: str) -> str:
    """Return the tag of `PRIVATE` for an image: its id, without the algorithm."""
    return image_id.rpartition(":")[2]


def is_private(raw: Mapping[str, Any]) -> bool:
    """Whether an image of the engine's list or inspect came with credentials."""
    return any(is_mark(tag) for tag in raw.get("RepoTags") or ())


def is_mark(tag: str) -> bool:
    """Whether a name of an image only says that it came with credentials."""
    return tag.startswith(f"{PRIVATE}:")


def view_image(raw: Mapping[str, Any], *, wanted: str = "", is_own: bool = False) -> Any:
    """Write an image from the engine's list or inspect; only what is the node's own may be collected as garbage."""
    image = cri.Image(
        id=raw.get("Id", ""),
        repo_tags=[tag for tag in raw.get("RepoTags") or () if tag != NO_TAG and not is_mark(tag)],
        repo_digests=[digest for digest in raw.get("RepoDigests") or () if not digest.startswith("<none>")],
        size=max(0, int(raw.get("Size") or 0)),
        spec=cri.ImageSpec(image=wanted or raw.get("Id", "")),
        pinned=not is_own,
    )
    user = str((raw.get("Config") or {}).get("User") or "").partition(":")[0]
    if user.isdecimal() or not user:
        image.uid.value = int(user or 0)
    else:
        image.username = user
    return image


class ImageNames(NamedTuple):
    """What an image is called."""

    reference: str  # what identifies it for good: its digest in a repository, else its id
    tag: str  # a name with a tag, "" where it has none


def image_names(raw: Mapping[str, Any]) -> ImageNames:
    """Read the names of an image from the engine's inspect."""
    image = view_image(raw)
    return ImageNames(next(iter(image.repo_digests), image.id), next(iter(image.repo_tags), ""))
