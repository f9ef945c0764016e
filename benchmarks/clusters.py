"""Clusters for measuring, in a folder of their own, always taken down."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from kubarium import Cluster
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.client.kubeconfig import read_kubeconfig
from machinery.client.rest_transport import Token, connect_rest
from machinery.model.k8s import core_v1, meta_v1
from machinery.model.pods import is_ready
from machinery.model.requests import EventType, Selection
from machinery.model.resources import PODS
from machinery.process.clock import SystemClock
from machinery.process.tls import ClientTls
from tests.support.images import build_all

T = TypeVar("T")
IMAGE = "busybox:1.36"


@contextlib.contextmanager
def cluster(**options: Any) -> Iterator[Cluster]:
    """Start a cluster and take it down."""
    if options.get("runtime") == "docker":
        build_all()  # stand-ins for the images, where they are not there
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    handle = Cluster("bench", home=home)
    try:
        Cluster.up("bench", home=home, **options)
        yield handle
    finally:
        handle.down()
        shutil.rmtree(home, ignore_errors=True)


def with_api(handle: Cluster, work: Callable[[Api], Awaitable[T]]) -> T:
    """Run a piece of work as the administrator."""

    async def run() -> T:
        api = connect(handle.spec, handle.layout)
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(run())


def with_kubeconfig(file: str, work: Callable[[Api], Awaitable[T]]) -> T:
    """Run a piece of work as a kubeconfig's current context says, by REST.

    Raises:
        LookupError: the kubeconfig cannot be used; the text says why.
    """
    found = read_kubeconfig(file)
    by_token = Token(found.token_file, found.ca_file, server_name=found.server_name)
    by_certificate = ClientTls(found.ca_file, found.cert_file, found.key_file, found.server_name)

    async def run() -> T:
        credentials = by_token if found.token_file else by_certificate
        api = connect_rest(found.server, credentials, caller="benchmarks", clock=SystemClock())
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(run())


def sleeper(name: str) -> core_v1.Pod:
    """Build a pod that is Ready as soon as it runs."""
    container = core_v1.Container(name="main", image=IMAGE, command=["sleep", "3600"])
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", labels={"bench": "yes"}),
        spec=core_v1.PodSpec(containers=[container], terminationGracePeriodSeconds=0),
    )


async def run_pods(api: Api, names: list[str], on_ready: Callable[[], None] = lambda: None) -> float:
    """Create pods at once; return the wall seconds until all are Ready, and delete them again.

    Raises:
        ApiError: the apiserver refuses one.
    """
    began = time.monotonic()
    await asyncio.gather(*(api.create(PODS, sleeper(name)) for name in names))
    await _until(api, lambda pods: sum(map(is_ready, pods)) == len(names))
    took = time.monotonic() - began
    on_ready()
    await asyncio.gather(*(api.delete(PODS, name, namespace="default") for name in names))
    await _until(api, lambda pods: not pods)
    return took


async def _until(api: Api, enough: Callable[[list[core_v1.Pod]], bool]) -> None:
    selection = Selection(namespace="default", label_selector="bench=yes")
    listing = await api.list(PODS, selection)
    pods = {pod.metadata.name: pod for pod in listing.items}
    if enough(list(pods.values())):
        return
    async for batch in api.watch(PODS, selection, resource_version=str(listing.revision)):
        for event in batch:
            if event.object is None:
                continue
            if event.type is EventType.DELETED:
                pods.pop(event.object.metadata.name, None)
            else:
                pods[event.object.metadata.name] = event.object
        if enough(list(pods.values())):
            return
