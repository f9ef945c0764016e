"""Watches through apiservers that are killed, over compactions and changes of a definition: what they tell is etcd's log."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import msgspec
import pytest

from apiserver.rest.protobuf_messages import MEDIA_TYPE
from apiserver.storage.endpoints import EtcdTls
from apiserver.storage.etcd import EtcdStorage
from kubarium import Cluster
from tests.support import custom_resources as custom
from tests.support.clusters import clusters
from tests.support.requirements import need
from tests.support.waiting import pause
from tests.support.watch_events import read_events
from tests.support.watch_log import Segment, Told, differences

pytestmark = [pytest.mark.cluster, pytest.mark.etcd, pytest.mark.timeout(600)]

SEED = int(os.environ.get("KUBARIUM_SEED") or random.randrange(2**32))
KILLS = int(os.environ.get("KUBARIUM_KILLS") or 4)
NAMES = ("a", "b", "c", "d")
MAPS = "/api/v1/namespaces/default/configmaps"
TOYS = f"/apis/{custom.GROUP}/v1/namespaces/default/toys"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PREFIXES = {MAPS: "/registry/configmaps/default/", TOYS: f"/registry/{custom.GROUP}/toys/default/"}
MANIFESTS: dict[str, dict[str, Any]] = {
    MAPS: {"apiVersion": "v1", "kind": "ConfigMap"},
    TOYS: {"apiVersion": f"{custom.GROUP}/v1", "kind": "Toy"},
}
LAST = "zz-last"
WRITERS = 4
PATIENCE_S = 150.0
ANSWER_S = 30.0  # of one request


class World:
    """Two apiservers on one etcd."""

    def __init__(self, cluster: Cluster, stack: AsyncExitStack) -> None:
        self.cluster = cluster
        pki = cluster.layout.pki
        tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        tls.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
        self.sessions = [
            aiohttp.ClientSession(
                f"https://{host}:{cluster.addresses.rest_port}",
                connector=aiohttp.TCPConnector(ssl=tls),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            )
            for host in ("127.0.0.1", "127.0.0.2")
        ]
        for session in self.sessions:
            stack.push_async_callback(session.close)
        etcd_pki = EtcdTls(
            str(pki / "etcd-ca.crt"),
            str(pki / "apiserver-etcd-client.crt"),
            str(pki / "apiserver-etcd-client.key"),
        )
        self.storage = EtcdStorage([f"https://127.0.0.1:{cluster.addresses.etcd_port}"], etcd_pki)
        stack.push_async_callback(self.storage.aclose)
        self.log: dict[str, list[Told]] = {path: [] for path in PREFIXES}
        self.recorded = 0  # the revision up to which it is written down
        self._known: set[str] = set()

    async def record(self, begun: asyncio.Event) -> None:
        """Write etcd's log down, from its beginning: nothing is compacted yet."""
        async for batch in self.storage.watch("/registry/", 0):
            begun.set()
            for event in batch.events:
                for path, prefix in PREFIXES.items():
                    if event.key.startswith(prefix):
                        self._note(path, event.key, event.value, event.revision)
            self.recorded = batch.revision

    def _note(self, path: str, key: str, value: bytes | None, revision: int) -> None:
        type_ = "DELETED" if value is None else "MODIFIED" if key in self._known else "ADDED"
        (self._known.discard if value is None else self._known.add)(key)
        obj = None if value is None else json.loads(value)
        self.log[path].append(Told(revision, type_, key.rpartition("/")[2], obj))

    async def insist(self, method: str, path: str, rng: random.Random, **options: Any) -> int:
        """Ask one apiserver or the other until one answers; return the status."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    session = rng.choice(self.sessions)
                    async with asyncio.timeout(ANSWER_S), session.request(method, path, **options) as answer:
                        await answer.read()
                        if answer.status < 500 and answer.status != 429:
                            return answer.status
                await asyncio.sleep(0.02)


class Client:
    """One client: lists, watches, goes on where a watch ended, lists anew where it cannot."""

    def __init__(self, session: aiohttp.ClientSession, path: str, accept: str) -> None:
        self._session = session
        self._path = path
        self._accept = accept
        self.segments: list[Segment] = []

    async def follow(self) -> None:
        """Follow the collection until it has told of the last object."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                if not self.segments or self.segments[-1].until == 0:
                    await self._list()
                if await self._watch():
                    return
            await asyncio.sleep(0.02)

    async def _list(self) -> None:
        async with asyncio.timeout(ANSWER_S), self._session.get(self._path) as answer:
            answer.raise_for_status()
            found = await answer.json()
        listed = {
            item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in found["items"]
        }
        self.segments.append(Segment(int(found["metadata"]["resourceVersion"]), listed))

    async def _watch(self) -> bool:
        after = self.segments[-1].until
        query = f"?watch=true&allowWatchBookmarks=true&timeoutSeconds=2&resourceVersion={after}"
        async with self._session.get(self._path + query, headers={"Accept": self._accept}) as answer:
            if answer.status == 404:  # the definition is gone: with it goes what a watch could go on from
                self.segments.append(Segment(0))
                return False
            answer.raise_for_status()
            self.segments.append(Segment(after))
            async for type_, obj in read_events(answer):
                if type_ == "ERROR":
                    self.segments.append(Segment(0))  # list again
                    return False
                self._note(type_, obj)
        return self._knows_the_last()

    def _knows_the_last(self) -> bool:
        """Whether it was told of the last object, or has listed it."""
        return any(
            LAST in (segment.listed or ()) or any(each.name == LAST for each in segment.told)
            for segment in self.segments
        )

    def _note(self, type_: str, obj: dict[str, Any]) -> None:
        segment, meta = self.segments[-1], obj["metadata"]
        revision = int(meta.pop("resourceVersion"))
        segment.until = max(segment.until, revision)
        if type_ != "BOOKMARK":
            segment.told.append(Told(revision, type_, meta["name"], None if type_ == "DELETED" else obj))


async def write(world: World, rng: random.Random, ended: asyncio.Event) -> None:
    """Write the objects of both collections in any order."""
    number = 0
    while not ended.is_set():
        number += 1
        path, name = rng.choice([MAPS, TOYS]), rng.choice(NAMES)
        await change(world, rng, path, name, number)
        await asyncio.sleep(rng.uniform(0, 0.02))


async def change(world: World, rng: random.Random, path: str, name: str, number: int) -> None:
    obj = {**MANIFESTS[path], "metadata": {"name": name}}
    obj |= {"data": {"n": str(number)}} if path == MAPS else {"spec": {"size": number + 1}}
    if name != LAST and rng.random() < 0.2:
        await world.insist("DELETE", f"{path}/{name}", rng)
    elif await world.insist("POST", path, rng, json=obj) == 409:
        headers = {"Content-Type": "application/merge-patch+json"}
        await world.insist("PATCH", f"{path}/{name}", rng, data=json.dumps(obj), headers=headers)


async def break_things(world: World, rng: random.Random) -> None:
    """Kill apiservers, compact, change the definition, remove it and bring it back."""
    for number in range(KILLS):
        await asyncio.to_thread(world.cluster.kill, rng.choice(["apiserver-1", "apiserver-2"]), restart=True)
        if number % 2 == 0:
            await world.storage.compact(world.recorded)  # the log itself has to be read first
        headers = {"Content-Type": "application/merge-patch+json"}
        short = json.dumps({"spec": {"names": {"shortNames": [f"t{number}"]}}})
        await world.insist("PATCH", f"{CRDS}/toys.{custom.GROUP}", rng, data=short, headers=headers)
        await pause(rng.uniform(0.2, 0.6), "the next kill comes at a moment at random")
    await world.insist("DELETE", f"{CRDS}/toys.{custom.GROUP}", rng)
    await until_status(world, rng, f"{CRDS}/toys.{custom.GROUP}", 404)
    await define(world, rng)


async def define(world: World, rng: random.Random) -> None:
    body = msgspec.json.encode(custom.definition())
    headers = {"Content-Type": "application/json"}
    await world.insist("POST", CRDS, rng, data=body, headers=headers)
    await until_status(world, rng, TOYS, 200)


async def until_status(world: World, rng: random.Random, path: str, status: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await world.insist("GET", path, rng) != status:
            await asyncio.sleep(0.02)


def test_watches_tell_etcds_log():
    """Whichever apiserver they are at, in JSON and in protobuf; KUBARIUM_SEED repeats a run, KUBARIUM_KILLS makes it longer."""
    need("etcd")
    print(f"KUBARIUM_SEED={SEED}")
    with clusters() as start:
        cluster = start("watches", nodes=0, runtime="hollow", profile="fast", apiservers=2)
        asyncio.run(scenario(cluster))


async def scenario(cluster: Cluster) -> None:
    rng = random.Random(SEED)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        world = World(cluster, stack)
        await define(world, rng)
        begun, ended = asyncio.Event(), asyncio.Event()
        recording = tasks.create_task(world.record(begun))
        await begun.wait()
        clients = {
            path: [
                Client(world.sessions[0], path, "application/json"),
                Client(world.sessions[1], path, accept),
            ]
            for path, accept in ((MAPS, f"{MEDIA_TYPE};stream=watch"), (TOYS, "application/json"))
        }
        following = [tasks.create_task(each.follow()) for some in clients.values() for each in some]
        writing = [
            tasks.create_task(write(world, random.Random(SEED + each), ended)) for each in range(WRITERS)
        ]
        await break_things(world, rng)
        ended.set()
        await asyncio.gather(*writing)
        for path in PREFIXES:
            await change(world, rng, path, LAST, 0)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*following)
        recording.cancel()
    for path, some in clients.items():
        assert len(world.log[path]) > WRITERS
        for client in some:
            segments = [each for each in client.segments if each.after]
            assert differences(world.log[path], segments) == [], f"{path}, seed {SEED}"
