"""Impersonation: acting as somebody else, for those who may.

Headers say whom; `ways` says in which ways that may be allowed. One after the other is tried, the first whose checks are
all passed holds. The constrained ways (KEP-5284) ask for each verb that is used under the other name, too:

    associated-node, arbitrary-node, serviceaccount, user-info     impersonate-on:<way>:<verb> on what is asked for,
                                                                   impersonate:<way> on who is taken on
    without a name                                                 impersonate on everything that is taken on

https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

from msgspec import structs

from apiserver.core.authz.attributes import (
    ALL,
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    UNAUTHENTICATED,
    Attributes,
)
from apiserver.core.authz.node import GROUP as NODES
from apiserver.core.authz.node import USER_PREFIX as NODE_PREFIX
from apiserver.core.authz.rbac import SERVICE_ACCOUNT_PREFIX
from machinery.model import names

_PREFIX: Final = "impersonate-"
_EXTRA_PREFIX: Final = "impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"
_NODE_KEY: Final = "authentication.kubernetes.io/node-name"  # extra of who runs on a node
PREFIX: Final = _PREFIX
"""How the names of the headers begin, in lower case."""


class BadImpersonation(ValueError):  # noqa: N818 - it names what there is
    """The headers name no user."""


class Requester(Protocol):
    """Who wants to be somebody else (apiserver.request.UserInfo fits)."""

    @property
    def name(self) -> str:
        """The user's name."""
        ...

    @property
    def extra(self) -> Mapping[str, tuple[str, ...]]:
        """What is known of them beside."""
        ...


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom somebody wants to be."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def account(self) -> tuple[str, str] | None:
        """Return namespace and name of the ServiceAccount that the user is; None where they are none."""
        namespace, colon, name = self.user.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
        if not self.user.startswith(SERVICE_ACCOUNT_PREFIX) or not colon:
            return None
        is_valid = not (names.dns_label_errors(namespace) or names.dns_subdomain_errors(name))
        return (namespace, name) if is_valid else None

    @property
    def node(self) -> str:
        """Return the node whose kubelet the user is; "" where they are none."""
        name = self.user.removeprefix(NODE_PREFIX)
        is_node = self.user.startswith(NODE_PREFIX) and not names.dns_subdomain_errors(name)
        return name if is_node else ""

    @property
    def is_plain(self) -> bool:
        """Whether nothing but a name is wanted."""
        return not (self.uid or self.groups or self.extra)

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Return the groups with those that come by themselves."""
        groups = list(self.groups)
        if not groups and self.account is not None:
            groups += ["system:serviceaccounts", f"system:serviceaccounts:{self.account[0]}"]
        return _completed(self.user, groups)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which somebody may act as somebody else: all of `checks` have to be allowed, in order."""

    constraint: str  # the verb on who is taken on, "" where it is plain `impersonate`
    groups: tuple[str, ...]  # that the user will have
    checks: tuple[Attributes, ...]
    refusal: str = ""  # why it cannot be allowed to anybody; of the last of the checks


def ways(wanted: Impersonation, requester: Requester, asked: Attributes) -> Iterator[Way]:
    """Yield the ways in which an impersonation may be allowed; `asked` is what is asked for under the other name."""
    if wanted.is_plain and wanted.node:
        if wanted.node in requester.extra.get(_NODE_KEY, ()) and _is_account(requester.name):
            yield _of_node("associated-node", ALL, asked)
        yield _of_node("arbitrary-node", wanted.node, asked)
    if wanted.is_plain and wanted.account is not None:
        check = _account_check("impersonate:serviceaccount", wanted.account, _AUTHENTICATION)
        yield _constrained("serviceaccount", wanted.all_groups, asked, check)
    if not wanted.node and wanted.account is None:
        yield _of_user_info(wanted, asked)
    yield Way("", wanted.all_groups, tuple(_needs(wanted, "impersonate", "")))


def _of_node(mode: str, name: str, asked: Attributes) -> Way:
    check = _check(f"impersonate:{mode}", "nodes", name)
    return _constrained(mode, (NODES, AUTHENTICATED), asked, check)


def _of_user_info(wanted: Impersonation, asked: Attributes) -> Way:
    mode = "user-info"
    checks = tuple(_needs(wanted, f"impersonate:{mode}", _AUTHENTICATION))
    refusal = _never(wanted)
    way = _constrained(mode, wanted.all_groups, asked, *checks)
    return way if not refusal else Way(way.constraint, way.groups, way.checks, refusal)


def _constrained(mode: str, groups: tuple[str, ...], asked: Attributes, *checks: Attributes) -> Way:
    on = structs.replace(asked, verb=f"impersonate-on:{mode}:{asked.verb}")
    return Way(f"impersonate:{mode}", groups, (on, *checks))


def _never(wanted: Impersonation) -> str:
    """Return why a constrained way cannot lead to this user, "" where it can."""
    if "" in wanted.groups:
        return "impersonating the empty string group is not allowed"
    if MASTERS in wanted.groups:
        return "impersonating the system:masters group is not allowed"
    for key, values in wanted.extra:
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        if not all(values):
            return "impersonating the empty string value in extra is not allowed"
    return ""


def _needs(wanted: Impersonation, verb: str, group: str) -> Iterator[Attributes]:
    """Yield a verb on everything that is taken on; users, accounts and groups are of an API group."""
    if wanted.account is not None:
        yield _account_check(verb, wanted.account, group)
    else:
        yield _check(verb, "users", wanted.user, group=group)
    if wanted.uid:
        yield _check(verb, "uids", wanted.uid)
    for name in wanted.groups:
        yield _check(verb, "groups", name, group=group)
    for key, values in wanted.extra:
        for value in values:
            yield _check(verb, "userextras", value, subresource=key)


def _account_check(verb: str, account: tuple[str, str], group: str) -> Attributes:
    namespace, name = account
    return _check(verb, "serviceaccounts", name, group=group, namespace=namespace)


def _check(
    verb: str,
    resource: str,
    name: str,
    *,
    group: str = _AUTHENTICATION,
    namespace: str = "",
    subresource: str = "",
) -> Attributes:
    return Attributes(
        verb=verb, group=group, resource=resource, subresource=subresource, namespace=namespace, name=name
    )


def _completed(user: str, groups: list[str]) -> tuple[str, ...]:
    usual = UNAUTHENTICATED if user == ANONYMOUS else AUTHENTICATED
    return tuple(groups if usual in groups or UNAUTHENTICATED in groups else [*groups, usual])


def _is_account(name: str) -> bool:
    return Impersonation(name).account is not None


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
