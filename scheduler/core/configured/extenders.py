"""The extenders of a file.

https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/#kubescheduler-config-k8s-io-v1-Extender
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from machinery.model.go_numbers import parse_duration
from scheduler.core.configured.documents import BadConfiguration, Document, read
from scheduler.core.extending import Extender, TlsFiles

_DEFAULT_S: Final = 5.0
_SCHEMES: Final = ("http://", "https://")


class _Tls(Document, frozen=True):
    insecure: bool = False
    serverName: str = ""
    certFile: str = ""
    keyFile: str = ""
    caFile: str = ""
    certData: str = ""
    keyData: str = ""
    caData: str = ""


class _Managed(Document, frozen=True):
    name: str
    ignoredByScheduler: bool = False


class ExtenderFields(Document, frozen=True):
    """One extender."""

    urlPrefix: str
    filterVerb: str = ""
    preemptVerb: str = ""
    prioritizeVerb: str = ""
    weight: int = 0
    bindVerb: str = ""
    enableHTTPS: bool = False
    tlsConfig: _Tls | None = None
    httpTimeout: str = ""
    nodeCacheCapable: bool = False
    managedResources: tuple[_Managed, ...] = ()
    ignorable: bool = False


def read_extenders(content: tuple[dict[str, Any], ...]) -> tuple[tuple[Extender, ...], frozenset[str]]:
    """Return the extenders, and the resources that they look after in NodeResourcesFit's place.

    Raises:
        BadConfiguration: something cannot be, or is not built; the text names the field.
    """
    fields = [read(each, ExtenderFields, f"extenders[{number}]") for number, each in enumerate(content)]
    _check_several(fields)
    ignored = {each.name for one in fields for each in one.managedResources if each.ignoredByScheduler}
    found = tuple(_extender(each, f"extenders[{number}]") for number, each in enumerate(fields))
    return found, frozenset(ignored)


def _check_several(fields: list[ExtenderFields]) -> None:
    binders = [f"extenders[{number}].bindVerb" for number, each in enumerate(fields) if each.bindVerb]
    if len(binders) > 1:
        raise BadConfiguration(
            f"{binders[1]}: only one extender can implement bind, and {binders[0]} is there"
        )
    known: set[str] = set()
    for number, one in enumerate(fields):
        for at, each in enumerate(one.managedResources):
            where = f"extenders[{number}].managedResources[{at}].name"
            if "/" not in each.name.strip("/"):
                raise BadConfiguration(
                    f"{where}: Invalid value: {each.name}: must be a domain-prefixed path, as example.com/card"
                )
            if each.name in known:
                raise BadConfiguration(f"{where}: Duplicate value: {each.name}")
            known.add(each.name)


def _extender(fields: ExtenderFields, where: str) -> Extender:
    if not fields.urlPrefix.startswith(_SCHEMES):
        raise BadConfiguration(
            f"{where}.urlPrefix: Invalid value: {fields.urlPrefix}: begins with http:// or https://"
        )
    if fields.prioritizeVerb and fields.weight <= 0:
        raise BadConfiguration(
            f"{where}.weight: Invalid value: {fields.weight}: must have a positive weight applied to it"
        )
    return Extender(
        fields.urlPrefix,
        fields.filterVerb,
        fields.prioritizeVerb,
        fields.bindVerb,
        fields.preemptVerb,
        fields.weight,
        _timeout_s(fields.httpTimeout, f"{where}.httpTimeout"),
        fields.nodeCacheCapable,
        fields.ignorable,
        frozenset(each.name for each in fields.managedResources),
        _tls(fields, f"{where}.tlsConfig"),
    )


def _timeout_s(text: str, where: str) -> float:
    """Return wall seconds; nothing, and none, are the default."""
    try:
        within_s = parse_duration(text) if text else 0.0
    except ValueError as error:
        raise BadConfiguration(f"{where}: Invalid value: {text}: {error}") from error
    if within_s < 0:
        raise BadConfiguration(f"{where}: Invalid value: {text}: must not be negative")
    return within_s or _DEFAULT_S


def _tls(fields: ExtenderFields, where: str) -> TlsFiles | None:
    """Return how TLS is spoken; where nobody says whom to trust, everybody is trusted, as upstream has it."""
    given = fields.tlsConfig or _Tls()
    if not fields.enableHTTPS and not fields.tlsConfig and not fields.urlPrefix.startswith("https://"):
        return None
    for one, other in (("certFile", "keyFile"), ("certData", "keyData")):
        if bool(getattr(given, one)) != bool(getattr(given, other)):
            raise BadConfiguration(
                f"{where}.{other if getattr(given, one) else one}: {one} and {other} belong together"
            )
    if given.insecure and (given.caFile or given.caData):
        raise BadConfiguration(
            f"{where}.insecure: specifying a root certificates file with the insecure flag is not allowed"
        )
    ca = _data(given.caData, f"{where}.caData") or given.caFile
    return TlsFiles(
        insecure=given.insecure or (fields.enableHTTPS and not ca),
        server_name=given.serverName,
        cert=_data(given.certData, f"{where}.certData") or given.certFile,
        key=_data(given.keyData, f"{where}.keyData") or given.keyFile,
        ca=ca,
    )


def _data(text: str, where: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BadConfiguration(f"{where}: Invalid value: not base64: {error}") from error
