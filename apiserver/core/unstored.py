"""Resources that are asked, not stored: reviews of tokens and permissions, and bindings of pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unstored:
    """A resource that can only be created, and whose answer is not kept."""

    group: str
    plural: str
    singular: str
    kind: str
    definition: str
    namespaced: bool = False
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """Give what objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


AUTHENTICATION: Final = "authentication.k8s.io"
AUTHORIZATION: Final = "authorization.k8s.io"


def _review(group: str, kind: str, *, namespaced: bool = False) -> Unstored:
    definition = f"io.k8s.api.{group.partition('.')[0]}.v1.{kind}"
    return Unstored(group, f"{kind.lower()}s", kind.lower(), kind, definition, namespaced)


TOKEN_REVIEW: Final = _review(AUTHENTICATION, "TokenReview")
SELF_SUBJECT_REVIEW: Final = _review(AUTHENTICATION, "SelfSubjectReview")
SUBJECT_ACCESS_REVIEW: Final = _review(AUTHORIZATION, "SubjectAccessReview")
SELF_SUBJECT_ACCESS_REVIEW: Final = _review(AUTHORIZATION, "SelfSubjectAccessReview")
SELF_SUBJECT_RULES_REVIEW: Final = _review(AUTHORIZATION, "SelfSubjectRulesReview")
LOCAL_SUBJECT_ACCESS_REVIEW: Final = _review(AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True)

UNSTORED: Final[tuple[Unstored, ...]] = (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    TOKEN_REVIEW,
)

BY_RESOURCE: Final = {(each.group, each.plural): each for each in UNSTORED}
