"""Plan for what one namespace has from the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, AllAtOnce, Create, Facts, Plan, Write
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import ConfigMap, Namespace, ServiceAccount
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import CONFIG_MAPS, SERVICE_ACCOUNTS

DEFAULT: Final = "default"
ROOT_CA: Final = "kube-root-ca.crt"
_KEY: Final = "ca.crt"
_DESCRIPTION: Final = {
    "kubernetes.io/description": (
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as "
        "the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
        "Kubernetes clusters."
    )
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    namespace: Namespace
    account: ServiceAccount | None  # its `default` one
    root_ca: ConfigMap | None
    certificate: str  # PEM that is to be published; "" for none


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a namespace: make what is missing, mend the certificate."""
    namespace, certificate = seen.namespace, seen.certificate
    if namespace.metadata.deletionTimestamp or namespace.status.phase == "Terminating":
        return NOTHING_TO_DO
    name = namespace.metadata.name
    writes: list[Write] = []
    if seen.account is None:
        fresh = ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=name))
        writes.append(Create(SERVICE_ACCOUNTS, fresh, already_exists_is_fine=True))
    if certificate:
        writes += _publish(name, seen.root_ca, certificate)
    return Plan((AllAtOnce(tuple(writes)),)) if writes else NOTHING_TO_DO


def _publish(namespace: str, root_ca: ConfigMap | None, certificate: str) -> list[Write]:
    data = {_KEY: certificate}
    if root_ca is None:
        meta = ObjectMeta(name=ROOT_CA, namespace=namespace, annotations=_DESCRIPTION)
        return [Create(CONFIG_MAPS, ConfigMap(metadata=meta, data=data), already_exists_is_fine=True)]
    changed: dict[str, object] = {}
    if root_ca.data != data:
        changed["data"] = dict.fromkeys(root_ca.data, None) | data
    if not _DESCRIPTION.items() <= root_ca.metadata.annotations.items():
        changed["metadata"] = {"annotations": _DESCRIPTION}
    return [patch_at_revision(CONFIG_MAPS, root_ca, changed)] if changed else []
