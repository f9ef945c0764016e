"""What the controller of ephemeral volumes watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.core.volumes import POD_CLAIM_FIELDS
from controllers.ephemeral_volume.plan import Seen, plan
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.requests import EventType
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from machinery.model.storage import ephemeral_claim
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    pods = caches.ask(PODS, fields=POD_CLAIM_FIELDS)
    claims = caches.ask_for_metadata(PERSISTENT_VOLUME_CLAIMS)

    def look(key: Key, _moment: Moment) -> Seen | None:
        pod = pods.store.get(*key)
        if pod is None:
            return None
        names = [ephemeral_claim(pod.metadata.name, each.name) for each in pod.spec.volumes if each.ephemeral]
        found = [claims.store.get(pod.metadata.namespace, name) for name in names]
        return Seen(pod, {each.metadata.name: each.metadata for each in found if each is not None})

    return Controller(
        "ephemeral_volume",
        (Watched(pods, itself_if_it_has_any), Watched(claims, pod_of_what_is_gone)),
        look,
        plan,
        workers=5,
        writes=frozenset({"create persistentvolumeclaims"}),
    )


def itself_if_it_has_any(change: Change[Pod]) -> Iterable[Key]:
    """Return a new pod that has ephemeral volumes: they do not change."""
    pod = change.object
    has_any = change.kind is EventType.ADDED and any(each.ephemeral for each in pod.spec.volumes)
    return (key_of(pod.metadata),) if has_any else ()


def pod_of_what_is_gone(change: Change[MetadataOnly]) -> Iterable[Key]:
    """Return the pod that owned a claim which is gone."""
    meta = change.object.metadata
    owner = controller_of(meta)
    is_pods = change.kind is EventType.DELETED and owner is not None and owner.kind == "Pod"
    return ((meta.namespace, owner.name),) if is_pods and owner is not None else ()
