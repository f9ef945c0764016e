"""Kinds that have rules and are not served yet, with the names that the facts which wait for them give them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from apiserver import schemas
from apiserver.core import writes
from apiserver.core.kind import Kind, make_kind
from apiserver.core.kinds import (
    controllerrevisions,
    cronjobs,
    daemonsets,
    horizontalpodautoscalers,
    ingressclasses,
    ingresses,
    jobs,
    limitranges,
    networkpolicies,
    persistentvolumeclaims,
    persistentvolumes,
    poddisruptionbudgets,
    podtemplates,
    priorityclasses,
    replicationcontrollers,
    resourcequotas,
    runtimeclasses,
    statefulsets,
    storageclasses,
)
from apiserver.core.rules import Rules
from apiserver.core.table import Moment
from apiserver.core.values import Json
from machinery.model.errors import Invalid
from tests.support.pod_specs import CONTEXT

TOOLS: Final = Path(__file__).parents[2] / "tools"
NOW_S: Final = 1767225660.0  # one minute after the moment of CONTEXT

RULES: Final[dict[str, Rules]] = {
    "CONTROLLER_REVISIONS": controllerrevisions.RULES,
    "CRON_JOBS": cronjobs.RULES,
    "DAEMON_SETS": daemonsets.RULES,
    "HORIZONTAL_POD_AUTOSCALERS": horizontalpodautoscalers.RULES,
    "INGRESSES": ingresses.RULES,
    "INGRESS_CLASSES": ingressclasses.RULES,
    "JOBS": jobs.RULES,
    "LIMIT_RANGES": limitranges.RULES,
    "NETWORK_POLICIES": networkpolicies.RULES,
    "PERSISTENT_VOLUMES": persistentvolumes.RULES,
    "PERSISTENT_VOLUME_CLAIMS": persistentvolumeclaims.RULES,
    "POD_DISRUPTION_BUDGETS": poddisruptionbudgets.RULES,
    "POD_TEMPLATES": podtemplates.RULES,
    "PRIORITY_CLASSES": priorityclasses.RULES,
    "REPLICATION_CONTROLLERS": replicationcontrollers.RULES,
    "RESOURCE_QUOTAS": resourcequotas.RULES,
    "RUNTIME_CLASSES": runtimeclasses.RULES,
    "STATEFUL_SETS": statefulsets.RULES,
    "STORAGE_CLASSES": storageclasses.RULES,
}
"""By the constant that the kind's names will have in machinery.model.k8s.served."""


@contextmanager
def _tools_on_the_path() -> Iterator[None]:
    sys.path.insert(0, str(TOOLS))
    try:
        yield
    finally:
        sys.path.remove(str(TOOLS))


def _made() -> dict[str, Kind]:
    with _tools_on_the_path():
        generator, facts = import_module("gen_kinds"), import_module("kind_facts")
    namespace: dict[str, Any] = {}
    exec(generator.text(facts.NEXT), namespace)
    made = {name: make_kind(namespace[name], rules) for name, rules in RULES.items()}
    return {kind.kind: kind for kind in made.values()}


KINDS: Final = _made()
"""By the name of the kind."""


_POD = {"containers": [{"name": "main", "image": "app:1"}]}
_LABELS = {"metadata": {"labels": {"app": "web"}}}
_SELECTOR = {"matchLabels": {"app": "web"}}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
EXAMPLES: Final[dict[str, Json]] = {
    "ControllerRevision": {"revision": 1, "data": {"spec": {}}},
    "CronJob": {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}}}},
    "DaemonSet": {"spec": {"selector": _SELECTOR, "template": {**_LABELS, "spec": _POD}}},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 2, "behavior": {}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "example.com/x", "parameters": {"kind": "A", "name": "b"}}},
    "Job": {"spec": {"template": {**_LABELS, "spec": {**_POD, "restartPolicy": "Never"}}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    "PersistentVolume": {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/d"}}},
    "PersistentVolumeClaim": {"spec": _CLAIM},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": _SELECTOR}},
    "PodTemplate": {"template": {**_LABELS, "spec": _POD}},
    "PriorityClass": {"value": 5},
    "ReplicationController": {"spec": {"template": {**_LABELS, "spec": _POD}}},
    "ResourceQuota": {"spec": {"hard": {"pods": "5"}}},
    "RuntimeClass": {"handler": "runsc"},
    "StatefulSet": {"spec": {"selector": _SELECTOR, "serviceName": "web", "template": {**_LABELS, "spec": _POD}, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _CLAIM}]}},
    "StorageClass": {"provisioner": "example.com/disk"},
}  # fmt: skip
"""What makes an object of each kind, by the name of the kind."""


def example(kind: Kind) -> Json:
    """Return an object of the kind that is taken."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "x"},
        **EXAMPLES[kind.kind],
    }


def kind_of(obj: Json) -> Kind:
    """Return the kind of an object."""
    return KINDS[obj["kind"]]


def read(obj: Json) -> Json:
    """Normalize and default an object, as the write path does before admission."""
    return writes.read(schemas.load(), kind_of(obj), deepcopy(obj), namespace="default").obj


def created(obj: Json) -> Json:
    """Return the object that would be stored."""
    return writes.create(kind_of(obj), read(obj), CONTEXT)


def updated(new: Json, old: Json) -> Json:
    """Return the object that would be stored in place of `old`."""
    return writes.update(kind_of(old), read(new), old, CONTEXT)


def with_status(old: Json, **status: Any) -> Json:
    """Return the object that a write of this status would store."""
    return writes.update_status(kind_of(old), read({**old, "status": status}), old, CONTEXT)


def complaints(obj: Json) -> list[str]:
    """Return what a create is refused for: "path: message"; [] where it is not."""
    try:
        created(obj)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def update_complaints(new: Json, old: Json) -> list[str]:
    """Return what an update is refused for."""
    try:
        updated(new, old)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def status_complaints(old: Json, **status: Any) -> list[str]:
    """Return what a write of this status is refused for."""
    try:
        with_status(old, **status)
    except Invalid as error:
        return [f"{cause.field}: {cause.message}" for cause in error.causes]
    return []


def row(obj: Json) -> dict[str, Any]:
    """Return what kubectl prints of an object, a minute after it was made."""
    table = kind_of(obj).rules.table
    cells = table.row(obj, Moment(NOW_S))
    return dict(zip([column.name for column in table.columns], cells, strict=True))


def merged(base: Json, **changes: Any) -> Json:
    """Return an object with fields of its spec changed; None takes one away."""
    own = {name: value for name, value in {**base.get("spec", {}), **changes}.items() if value is not None}
    return {**base, "spec": own}
