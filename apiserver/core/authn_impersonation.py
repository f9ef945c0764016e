"""Impersonation: acting as somebody else, for those who may.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from apiserver.core.authz.attributes import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, Attributes
from apiserver.core.authz.rbac import SERVICE_ACCOUNT_PREFIX

_PREFIX: Final = "impersonate-"
_EXTRA_PREFIX: Final = "impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"


class BadImpersonation(ValueError):  # noqa: N818 - it names what there is
    """The headers name no user."""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom somebody wants to be."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Return the groups with those that come by themselves."""
        groups = list(self.groups)
        if not groups and self.user.startswith(SERVICE_ACCOUNT_PREFIX):
            namespace = self.user.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")[0]
            groups += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        usual = UNAUTHENTICATED if self.user == ANONYMOUS else AUTHENTICATED
        return tuple(groups if usual in groups or UNAUTHENTICATED in groups else [*groups, usual])

    def needs(self) -> Iterator[Attributes]:
        """Return what has to be allowed: the verb impersonate on everything that is taken on."""
        yield self._user_attributes()
        if self.uid:
            yield _impersonate("uids", self.uid, group=_AUTHENTICATION)
        for group in self.groups:
            yield _impersonate("groups", group)
        for key, values in self.extra:
            for value in values:
                yield _impersonate("userextras", value, group=_AUTHENTICATION, subresource=key)

    def _user_attributes(self) -> Attributes:
        namespace, colon, account = self.user.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
        if self.user.startswith(SERVICE_ACCOUNT_PREFIX) and colon:
            return _impersonate("serviceaccounts", account, namespace=namespace)
        return _impersonate("users", self.user)


def impersonation_of(headers: Iterable[tuple[str, str]]) -> Impersonation | None:
    """Read the headers; None where there are none of this sort.

    Raises:
        BadImpersonation: they name groups or more, but no user; or they are no text.
    """
    users: list[str] = []
    uids: list[str] = []
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower().startswith(_PREFIX) and not _is_text(value):
            raise BadImpersonation(f"the header {name} is no UTF-8 text")
        match name.lower():
            case "impersonate-user":
                users.append(value)
            case "impersonate-uid":
                uids.append(value)
            case "impersonate-group":
                groups.append(value)
            case lowered if lowered.startswith(_EXTRA_PREFIX):
                extra.setdefault(unquote(lowered.removeprefix(_EXTRA_PREFIX)), []).append(value)
    if not any(users):
        if uids or groups or extra:
            raise BadImpersonation("requested impersonation of groups, a uid or extra fields without a user")
        return None
    pairs = tuple((key, tuple(values)) for key, values in sorted(extra.items()))
    return Impersonation(users[0], uids[0] if uids else "", tuple(groups), pairs)


def _is_text(value: str) -> bool:
    """Whether a header came in UTF-8: a byte that did not stands in it as half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _impersonate(
    resource: str, name: str, *, namespace: str = "", group: str = "", subresource: str = ""
) -> Attributes:
    return Attributes(
        verb="impersonate",
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
