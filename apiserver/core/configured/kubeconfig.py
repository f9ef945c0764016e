"""Whom the apiserver calls, and as whom: the cluster and the user of a kubeconfig's current context, or users by name.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apiserver.core.configured.documents import BadDocument, Configured, convert

_HTTPS: Final = ":443"


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate or a key: as it stands there, or in a file."""

    pem: bytes = b""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.pem or self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who a server is shown to call."""

    certificate: Material = Material()
    key: Material = Material()
    token: str = ""
    token_file: str = ""  # read for each call
    basic: tuple[str, str] | None = None  # user name and password


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server, and how it is called."""

    url: str
    authority: Material = Material()
    server_name: str = ""
    is_verified: bool = True
    credentials: Credentials = Credentials()


@dataclass(frozen=True, slots=True)
class KnownUsers:
    """As whom several servers are called, by their names."""

    by_name: Mapping[str, Credentials]
    other: Credentials | None  # of the current context

    def of(self, target: str) -> Credentials | None:
        """Return the credentials for `host:port`, most exact first: the name, `*.` of what it ends with, `*`; None: none.

        https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#authenticate-apiservers
        """
        names = [target]
        if target.endswith(_HTTPS):
            names.append(target.removesuffix(_HTTPS))
        for name in names:
            steps = name.split(".")
            for each in (name, *("*." + ".".join(steps[index:]) for index in range(1, len(steps)))):
                if each in self.by_name:
                    return self.by_name[each]
        return self.by_name.get("*", self.other)


class _Cluster(Configured, frozen=True, kw_only=True):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False


class _User(Configured, frozen=True, kw_only=True):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""


class _Context(Configured, frozen=True, kw_only=True):
    cluster: str = ""
    user: str = ""


def read_kubeconfig(document: Any) -> Remote:
    """Read whom the current context of a kubeconfig means; a file with one cluster needs no context.

    Raises:
        BadDocument: it names nobody, or a field is wrong.
    """
    if not isinstance(document, dict):
        raise BadDocument("this is no kubeconfig")
    context = _context(document)
    cluster = convert(_kebab(_entry(document, "clusters", "cluster", context.cluster)), _Cluster)
    user = convert(_kebab(_entry(document, "users", "user", context.user)), _User)
    if not cluster.server:
        raise BadDocument("clusters: there is none with a server")
    return Remote(
        url=cluster.server,
        authority=_material(
            "certificate-authority", cluster.certificate_authority_data, cluster.certificate_authority
        ),
        server_name=cluster.tls_server_name,
        is_verified=not cluster.insecure_skip_tls_verify,
        credentials=_credentials(user),
    )


def read_users(document: Any) -> KnownUsers:
    """Read the users of a kubeconfig, and which of them its current context means.

    Raises:
        BadDocument: a field is wrong, or the context is not there.
    """
    if not isinstance(document, dict):
        raise BadDocument("this is no kubeconfig")
    found: dict[str, Credentials] = {}
    for entry in document.get("users") or ():
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            raise BadDocument("users: each has a name")
        found[name] = _credentials(convert(_kebab(_entry(document, "users", "user", name)), _User))
    if not document.get("current-context"):
        return KnownUsers(found, None)
    return KnownUsers(found, found.get(_context(document).user))


def _credentials(user: _User) -> Credentials:
    return Credentials(
        certificate=_material("client-certificate", user.client_certificate_data, user.client_certificate),
        key=_material("client-key", user.client_key_data, user.client_key),
        token=user.token,
        token_file=user.token_file,
        basic=(user.username, user.password) if user.username else None,
    )


def _context(document: dict[str, Any]) -> _Context:
    name = document.get("current-context")
    if name:
        fields = _entry(document, "contexts", "context", name)
        if not fields:
            raise BadDocument(f"current-context: there is no context {name!r}")
        return convert({key: fields.get(key, "") for key in ("cluster", "user")}, _Context)
    names = {plural: _only(document.get(plural)) for plural in ("clusters", "users")}
    return _Context(cluster=names["clusters"], user=names["users"])


def _only(entries: Any) -> str:
    first = entries[0] if isinstance(entries, list) and len(entries) == 1 else None
    name = first.get("name", "") if isinstance(first, dict) else ""
    return name if isinstance(name, str) else ""


def _entry(document: dict[str, Any], plural: str, singular: str, name: str) -> dict[str, Any]:
    entries = document.get(plural) or []
    if not isinstance(entries, list):
        raise BadDocument(f"{plural}: has to be a list")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(singular)
            return found if isinstance(found, dict) else {}
    return {}


def _kebab(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields under the names of their Structs: client-key-data → clientKeyData, tokenFile as it is."""
    known = {}
    for key, value in fields.items():
        first, *others = str(key).split("-")
        known[first + "".join(part.title() for part in others)] = value
    return known


def _material(path: str, data: str, file: str) -> Material:
    if not data:
        return Material(file=file)
    try:
        return Material(pem=b64decode(data, validate=True))
    except (NotBase64, ValueError) as error:
        raise BadDocument(f"{path}-data: this is not Base64") from error
