"""Who may run an image that is on the node already: those with credentials that pulled it, as KEP-2535 has it.

https://kubernetes.io/docs/concepts/containers/images/#ensureimagepullcredentialverification
For each image that the kubelet has pulled there is a record, and for each pull that is under way an intent. A pod may use an
image that is here if the policy asks for no verification, if anyone could pull it, or if the pod has the credentials of a pull
that worked: the same ones (by their hash), or those of the same secret. Everyone else's pull policy has to allow a pull,
which the registry then grants or not.

Service accounts are in no record: only credential plugins pull with them, and there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

import msgspec

from kubelet.core.images import Credential, parse_name

API_VERSION: Final = "kubelet.config.k8s.io/v1beta1"
_MOST_SECRETS: Final = (
    100  # that a record learns from pods that only use the image; it would grow without an end
)


class VerificationPolicy(Enum):
    """For which images on the node a pod needs credentials."""

    NEVER = "NeverVerify"
    NOT_PRELOADED = "NeverVerifyPreloadedImages"  # those that the kubelet has not pulled are for everyone
    NOT_ALLOWLISTED = "NeverVerifyAllowlistedImages"
    ALWAYS = "AlwaysVerify"


class PullSecret(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A secret whose credentials have pulled an image."""

    uid: str = ""
    namespace: str = ""
    name: str = ""
    credential_hash: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """Which secret it is."""
        return self.namespace, self.name, self.uid


class PullCredentials(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Who may use the images of one repository."""

    node_pods_accessible: bool = False  # it was pulled without credentials
    kubernetes_secrets: tuple[PullSecret, ...] = ()


class PulledRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An image that the kubelet has pulled. A repository without an entry is verified."""

    kind: str = "ImagePulledRecord"
    api_version: str = API_VERSION
    last_updated_time: str
    image_ref: str  # as the runtime has it; "" of one that could not be read
    credential_mapping: dict[str, PullCredentials] = msgspec.field(default_factory=dict)  # by repository


class PullIntent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A pull that was begun."""

    kind: str = "ImagePullIntent"
    api_version: str = API_VERSION
    image: str


ANYONE: Final = PullCredentials(node_pods_accessible=True)


@dataclass(frozen=True, slots=True)
class Verification:
    """The node's policy."""

    policy: VerificationPolicy = VerificationPolicy.NOT_PRELOADED
    allowlist: tuple[str, ...] = ()  # repositories; a/b/* is all below a/b

    def __post_init__(self) -> None:
        """Check the allowlist.

        Raises:
            ValueError: it has no effect, or one of its patterns is no repository; the text says why.
        """
        if self.allowlist and self.policy is not VerificationPolicy.NOT_ALLOWLISTED:
            raise ValueError(f"is for the policy {VerificationPolicy.NOT_ALLOWLISTED.value} only")
        for pattern in self.allowlist:
            _check_pattern(pattern)

    def is_wanted(self, repository: str, *, was_pulled: bool) -> bool:
        """Whether a pod needs credentials for an image. `was_pulled`: by the kubelet, now or some time."""
        match self.policy:
            case VerificationPolicy.NEVER:
                return False
            case VerificationPolicy.NOT_PRELOADED:
                return was_pulled
            case VerificationPolicy.NOT_ALLOWLISTED:
                return not any(_covers(pattern, repository) for pattern in self.allowlist)
            case VerificationPolicy.ALWAYS:
                return True


@dataclass(frozen=True, slots=True)
class PodCredential:
    """A credential for a registry, and the pod's secret that it comes from."""

    credential: Credential
    namespace: str
    secret: str
    secret_uid: str

    @property
    def registry(self) -> str:
        """For what it is."""
        return self.credential.registry

    def as_secret(self) -> PullSecret:
        """Return what a record keeps of it."""
        return PullSecret(self.secret_uid, self.namespace, self.secret, credential_hash(self.credential))


class Access(Enum):
    """Whether a pod may use an image that is here."""

    OPEN = "everyone may"
    BY_CREDENTIALS = "whoever has one of the record's secrets, or what is in it"
    CLOSED = "nobody may without a pull"


def judge_access(verification: Verification, image: str, record: PulledRecord | None) -> Access:
    """Decide what a pod needs for an image that is here, before its secrets are known."""
    repository, _, _ = parse_name(image)
    if not verification.is_wanted(repository, was_pulled=record is not None):
        return Access.OPEN
    known = record.credential_mapping.get(repository) if record else None
    if known is None:
        return Access.CLOSED
    if known.node_pods_accessible:
        return Access.OPEN
    return Access.BY_CREDENTIALS if known.kubernetes_secrets else Access.CLOSED


def find_secret(record: PulledRecord, image: str, has: Sequence[PodCredential]) -> PullSecret | None:
    """Return the pod's secret that lets it use an image, None where it has none: the same credentials, or the same secret."""
    known = record.credential_mapping[parse_name(image)[0]].kubernetes_secrets
    hashes, places = {each.credential_hash for each in known}, {each.place for each in known}
    mine = (each.as_secret() for each in has)
    return next((each for each in mine if each.credential_hash in hashes or each.place in places), None)


def learns_more(record: PulledRecord, image: str) -> bool:
    """Whether a record takes up another secret of a pod that used the image without a pull."""
    return len(record.credential_mapping[parse_name(image)[0]].kubernetes_secrets) < _MOST_SECRETS


def with_credentials(
    record: PulledRecord | None, image: str, image_ref: str, used: PullCredentials | None, *, now_text: str
) -> PulledRecord:
    """Return the record of an image after a pull with some credentials; `used` None: nobody knows with which."""
    old = (
        record
        if record and record.image_ref
        else PulledRecord(last_updated_time=now_text, image_ref=image_ref)
    )
    if used is None:
        return old
    repository, _, _ = parse_name(image)
    before = old.credential_mapping.get(repository, PullCredentials())
    after = _merged(before, used)
    if after == before:
        return old
    mapping = {**old.credential_mapping, repository: after}
    return PulledRecord(last_updated_time=now_text, image_ref=old.image_ref, credential_mapping=mapping)


def credential_hash(credential: Credential) -> str:
    """Return what tells credentials apart, and from which nobody can read them."""
    return sha256(msgspec.json.encode(credential)).hexdigest()


def same_image(one: str, other: str) -> bool:
    """Whether two names mean the same image: busybox:1 is docker.io/library/busybox:1."""
    try:
        return parse_name(one) == parse_name(other)
    except ValueError:
        return False


def prunable(records: Iterable[PulledRecord], here: Iterable[str], until_text: str) -> list[PulledRecord]:
    """Return the records of images that are here no more; `here` was listed at that time, so newer records stay."""
    refs = set(here)
    return [
        each
        for each in records
        if each.image_ref and each.image_ref not in refs and each.last_updated_time < until_text
    ]


def _merged(before: PullCredentials, used: PullCredentials) -> PullCredentials:
    if before.node_pods_accessible or used.node_pods_accessible:
        return ANYONE
    secrets = {each.place: each for each in (*before.kubernetes_secrets, *used.kubernetes_secrets)}
    return PullCredentials(kubernetes_secrets=tuple(secrets[place] for place in sorted(secrets)))


def _covers(pattern: str, repository: str) -> bool:
    return repository.startswith(pattern[:-1]) if pattern.endswith("/*") else repository == pattern


def _check_pattern(pattern: str) -> None:
    if pattern != pattern.strip():
        raise ValueError(f"leading/trailing spaces are not allowed: {pattern}")
    name = pattern.removesuffix("*") if pattern.endswith("/*") else pattern
    if "*" in name:
        raise ValueError(
            f"not a valid wildcard pattern, only patterns ending with '/*' are allowed: {pattern}"
        )
    if name == "/":
        raise ValueError(f"at least registry hostname is required: {pattern}")
    if name == pattern and parse_name(name) != (name, "", ""):
        raise ValueError(f"has to be a whole repository without tag and digest: {pattern}")
