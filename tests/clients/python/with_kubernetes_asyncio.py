"""An informer on kubernetes_asyncio: it lists, watches from there, and lists again when its place is gone.

It follows ConfigMaps while the cluster's apiserver is killed, and at the end knows what a list tells.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import aiohttp
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.stream import WsApiClient
from support import SLEEPER, namespace

KILL = sys.argv[1:]  # the command that kills the apiserver


class Informer:
    """Keeps what the server has, as name → data."""

    def __init__(self, core: client.CoreV1Api) -> None:
        self._core = core
        self._changed = asyncio.Condition()
        self.known: dict[str, dict[str, str]] = {}
        self.lists = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._list_and_watch()
            except (aiohttp.ClientError, ApiException, TimeoutError):
                await asyncio.sleep(0.1)

    async def _list_and_watch(self) -> None:
        found = await self._core.list_namespaced_config_map(namespace(), label_selector="followed=yes")
        self.lists += 1
        async with self._changed:
            self.known = {each.metadata.name: each.data for each in found.items}
            self._changed.notify_all()
        follow = watch.Watch()
        async with follow.stream(
            self._core.list_namespaced_config_map,
            namespace(),
            label_selector="followed=yes",
            resource_version=found.metadata.resource_version,
            allow_watch_bookmarks=True,
        ) as events:
            async for event in events:
                await self._take(event["type"], event["object"])

    async def _take(self, event: str, obj: client.V1ConfigMap) -> None:
        if event == "BOOKMARK":
            return
        async with self._changed:
            if event == "DELETED":
                self.known.pop(obj.metadata.name, None)
            else:
                self.known[obj.metadata.name] = obj.data
            self._changed.notify_all()

    async def until(self, true: Callable[[dict[str, dict[str, str]]], bool]) -> None:
        """Wait until what is known is so."""
        async with asyncio.timeout(150), self._changed:
            await self._changed.wait_for(lambda: true(self.known))


async def main() -> None:
    await config.load_kube_config()
    async with ApiClient() as api, asyncio.TaskGroup() as tasks:
        core = client.CoreV1Api(api)
        informer = Informer(core)
        following = tasks.create_task(informer.run())
        await change_while_it_follows(core, informer)
        following.cancel()
    await exec_in_a_pod()


async def change_while_it_follows(core: client.CoreV1Api, informer: Informer) -> None:
    await asyncio.gather(*(create(core, number) for number in range(20)))
    await informer.until(lambda known: len(known) == 20)
    await asyncio.to_thread(subprocess.run, KILL, check=True, capture_output=True)
    for number in range(20):
        await insistently(lambda number=number: change(core, number))
    await informer.until(lambda known: len(known) == 10 and {each["n"] for each in known.values()} == {"new"})
    assert informer.lists > 1, "the watch was not broken by the kill"
    found = await core.list_namespaced_config_map(namespace(), label_selector="followed=yes")
    assert informer.known == {each.metadata.name: each.data for each in found.items}


async def create(core: client.CoreV1Api, number: int) -> None:
    body = {"metadata": {"name": f"map-{number}", "labels": {"followed": "yes"}}, "data": {"n": "old"}}
    await core.create_namespaced_config_map(namespace(), body)


async def change(core: client.CoreV1Api, number: int) -> None:
    if number % 2:
        await core.delete_namespaced_config_map(f"map-{number}", namespace())
    else:
        await core.patch_namespaced_config_map(f"map-{number}", namespace(), {"data": {"n": "new"}})


async def insistently(call: Callable[[], object]) -> None:
    """Call until the server answers; what it had done already is no error."""
    async with asyncio.timeout(150):
        while True:
            try:
                await call()
            except (aiohttp.ClientError, ApiException) as error:
                if getattr(error, "status", 0) == 404:
                    return
                await asyncio.sleep(0.1)
            else:
                return


async def exec_in_a_pod() -> None:
    async with ApiClient() as api:
        core = client.CoreV1Api(api)
        container = {"name": "main", "image": "busybox:1.36", "command": SLEEPER}
        body = {
            "metadata": {"name": "shell"},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        }
        await core.create_namespaced_pod(namespace(), body)
        async with watch.Watch().stream(
            core.list_namespaced_pod, namespace(), field_selector="metadata.name=shell", timeout_seconds=150
        ) as events:
            async for event in events:
                if event["object"].status.phase == "Running":
                    break
    async with WsApiClient() as api:
        said = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "shell", namespace(), command=["echo", "hello"], stdout=True, stderr=True
        )
    assert said == "hello\n", said


asyncio.run(main())
