"""DenyServiceExternalIPs: a Service gets no addresses that its writer chose (CVE-2020-8554); not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#denyserviceexternalips
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about, forbidden
from apiserver.core.values import Json, spec
from machinery.model.k8s import served


def _addresses(service: Json) -> set[str]:
    return set(spec(service).get("externalIPs") or ())


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if not attributes.subresource and not _addresses(obj) <= _addresses(old or {}):
        raise forbidden(attributes, obj, "Use of external IPs is denied by admission control")
    return ()


DENY_EXTERNAL_IPS: Final = Plugin("DenyServiceExternalIPs", about(served.SERVICES), validate=_validate)
