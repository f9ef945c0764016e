"""Image names, pull policies and registry credentials.

https://kubernetes.io/docs/concepts/containers/images/ gives the policies and how the keys of a docker config match
images; the grammar of names is the one of the distribution project (distribution/reference).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol, TypeVar

import msgspec

from machinery.model.k8s.core_v1 import Secret

DEFAULT_TAG: Final = "latest"
_DEFAULT_DOMAIN: Final = "docker.io"
_HUB_ALIASES: Final = ("index.docker.io", "registry-1.docker.io")
_LONGEST_REPOSITORY: Final = 255

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PART}(?:/{_PART})*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_PATH})"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_ID = re.compile(r"[a-f0-9]{64}")


class PullStep(Enum):
    """What to do about a container's image."""

    USE = "use it as it is"
    PULL = "pull it"
    REFUSE = "it is not here and may not be pulled"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a docker config says about one registry, or a part of it."""

    registry: str  # host[:port][/path], maybe with * in the host
    username: str = ""
    password: str = ""
    identity_token: str = ""


def parse_name(text: str) -> tuple[str, str, str]:
    """Return the full repository ("docker.io/library/busybox"), the tag and the digest ("" where there is none).

    Raises:
        ValueError: it is no image name; the text says why.
    """
    if _ID.fullmatch(text):
        raise ValueError(
            f'couldn\'t parse image name "{text}": invalid repository name, cannot be 64 hexadecimal digits'
        )
    if not (match := _NAME.fullmatch(text)):
        raise ValueError(f'couldn\'t parse image name "{text}": {_why(text)}')
    repository = _full_repository(match["domain"] or "", match["path"])
    if len(repository) > _LONGEST_REPOSITORY:
        raise ValueError(
            f'couldn\'t parse image name "{text}": repository name must not be more than 255 characters'
        )
    return repository, match["tag"] or "", match["digest"] or ""


def with_default_tag(text: str) -> str:
    """Add ":latest" to a name that has neither a tag nor a digest.

    Raises:
        ValueError: it is no image name.
    """
    _, tag, digest = parse_name(text)
    return text if tag or digest else f"{text}:{DEFAULT_TAG}"


def plan_pull(policy: str, *, present: bool) -> PullStep:
    """Decide by the pull policy (the apiserver has set the default)."""
    if policy == "Always":
        return PullStep.PULL
    if present:
        return PullStep.USE
    return PullStep.REFUSE if policy == "Never" else PullStep.PULL


def read_credentials(secret: Secret) -> list[Credential]:
    """Read an image pull secret; what is no docker config holds no credentials.

    Raises:
        ValueError: its type is right, but its content is no docker config.
    """
    if secret.type == "kubernetes.io/dockerconfigjson":
        content = _json(secret.data.get(".dockerconfigjson", ""))
        entries = content.get("auths")
    elif secret.type == "kubernetes.io/dockercfg":
        entries = _json(secret.data.get(".dockercfg", ""))
    else:
        return []
    if not isinstance(entries or {}, dict):
        raise ValueError("no docker config: auths is not a JSON object")  # noqa: TRY004 - bad content, not a bad argument
    return [_credential(registry, entry) for registry, entry in (entries or {}).items()]


class ForRegistry(Protocol):
    """A credential, or what has one."""

    @property
    def registry(self) -> str:
        """The registry that it is for, or a part of it."""
        ...


C = TypeVar("C", bound=ForRegistry)


def matching(credentials: Iterable[C], image: str) -> list[C]:
    """Return the credentials for an image, the most specific first."""
    repository, _, _ = parse_name(image)
    fitting = [item for item in credentials if _fits(item.registry, repository)]
    return sorted(fitting, key=lambda item: item.registry, reverse=True)


def _why(text: str) -> str:
    if text and _NAME.fullmatch(text.lower()) and text != text.lower():
        return "invalid reference format: repository name must be lowercase"
    return "invalid reference format"


def _full_repository(domain: str, path: str) -> str:
    """Distinguish "web/app" (a part of the hub) from "host/app": a host has a dot, a port, an upper case letter or is localhost."""
    if domain and not ("." in domain or ":" in domain or domain == "localhost" or domain != domain.lower()):
        domain, path = "", f"{domain}/{path}"
    if not domain or domain in _HUB_ALIASES:
        domain = _DEFAULT_DOMAIN
    if domain == _DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return f"{domain}/{path}"


def _json(encoded: str) -> Mapping[str, Any]:
    try:
        content = msgspec.json.decode(b64decode(encoded))
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"no docker config: {error}") from error
    if not isinstance(content, dict):
        raise ValueError("no docker config: not a JSON object")  # noqa: TRY004 - bad content, not a bad argument
    return content


def _credential(registry: str, entry: Any) -> Credential:
    if not isinstance(entry, dict):
        raise ValueError(f"no docker config: auths of {registry} is not a JSON object")  # noqa: TRY004 - bad content
    username, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if encoded := entry.get("auth"):
        try:
            username, _, password = b64decode(str(encoded)).decode().rstrip("\x00").partition(":")
        except ValueError as error:  # no base64, no ASCII, no UTF-8
            raise ValueError(f"no docker config: auth of {registry}: {error}") from error
    return Credential(_bare(registry), username, password, str(entry.get("identitytoken", "")))


def _bare(registry: str) -> str:
    """Return a docker config's key without its scheme and API version."""
    bare = registry.split("://", 1)[-1]
    for ending in ("/v1/", "/v2/", "/v1", "/v2", "/"):
        bare = bare.removesuffix(ending)
    host, slash, path = bare.partition("/")
    return f"{_DEFAULT_DOMAIN if host in _HUB_ALIASES else host}{slash}{path}"


def _fits(registry: str, repository: str) -> bool:
    """Match host parts one by one, and the path as a prefix of whole segments."""
    host, _, path = registry.partition("/")
    own_host, _, own_path = repository.partition("/")
    wanted, own = host.split("."), own_host.split(".")
    if len(wanted) != len(own) or not all(map(fnmatchcase, own, wanted)):
        return False
    return not path or own_path == path or own_path.startswith(path + "/")
