"""An operator on kopf: a Backup has a ConfigMap of its own, counts time, reports its status, and cleans up at its end."""

from __future__ import annotations

from typing import Any

import kopf
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.exceptions import ApiException


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    await config.load_kube_config()
    settings.persistence.finalizer = "backups.example.com/finalizer"
    settings.watching.server_timeout = 60
    settings.networking.error_backoffs = [0.1, 0.2, 0.5, 1, 1, 2, 2, 2]


@kopf.on.create("example.com", "v1", "backups")
@kopf.on.resume("example.com", "v1", "backups")
async def made(
    spec: kopf.Spec, name: str, namespace: str, patch: kopf.Patch, body: kopf.Body, **_: Any
) -> dict[str, str]:
    child: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"backup-{name}"},
        "data": {"source": spec["source"]},
    }
    kopf.adopt(child, owner=body)
    await ensure(namespace, child)
    patch.status["phase"] = "Made"
    return {"child": f"backup-{name}"}


@kopf.on.field("example.com", "v1", "backups", field="spec.source")
async def moved(old: str | None, new: str | None, name: str, namespace: str, **_: Any) -> None:
    if old is None or new is None:
        return
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).patch_namespaced_config_map(
            f"backup-{name}", namespace, {"data": {"source": new}}
        )


@kopf.timer("example.com", "v1", "backups", interval=0.5)
async def tick(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon("example.com", "v1", "backups")
async def follow(stopped: kopf.DaemonStopped, patch: kopf.Patch, **_: Any) -> None:
    patch.status["followed"] = True
    await stopped.wait()


@kopf.on.delete("example.com", "v1", "backups")
async def ended(name: str, namespace: str, **_: Any) -> None:
    await ensure(namespace, {"metadata": {"name": f"ended-{name}"}})


async def ensure(namespace: str, body: dict[str, Any]) -> None:
    """Create a ConfigMap; a handler may run twice, so that it may be there already."""
    async with client.ApiClient() as api:
        try:
            await client.CoreV1Api(api).create_namespaced_config_map(namespace, body)
        except ApiException as error:
            if error.status != 409:
                raise
