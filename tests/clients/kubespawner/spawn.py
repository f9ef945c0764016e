"""What a JupyterHub does with its spawner: a server for each of three users, at once; their progress; and their ends."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

from jupyterhub.objects import Hub, Server
from kubespawner import KubeSpawner
from kubespawner.clients import shared_client
from traitlets.config import Config

NAMESPACE = os.environ["NAMESPACE"]
SETTINGS: dict[str, Any] = {
    "namespace": NAMESPACE,
    "image": "busybox:1.36",
    "cmd": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"],
    "cpu_guarantee": 0.01,
    "mem_limit": "64M",
    "delete_grace_period": 1,
    "events_enabled": True,
    "start_timeout": 200,
    "extra_labels": {"course": "physics"},
    "environment": {"GREETING": "hello"},
    "service_account": "default",
}


class User(SimpleNamespace):
    """The part of a hub's user that a spawner looks at."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name=name, id=1, escaped_name=name, url=f"/user/{name}/", server=Server(), settings={}
        )


def spawner_of(name: str) -> KubeSpawner:
    """Make the spawner of a user's server."""
    return KubeSpawner(
        hub=Hub(base_url="/hub/", public_host="http://127.0.0.1:8000"),
        user=User(name),
        config=Config(KubeSpawner=SETTINGS),
        api_token="token",
        oauth_client_id=f"jupyterhub-user-{name}",
        _mock=True,
    )


async def main() -> None:
    spawners = [spawner_of(name) for name in ("ann", "bob", "cid")]
    assert [await each.poll() for each in spawners] == [1, 1, 1]
    urls = await asyncio.gather(*(spawn(each) for each in spawners))
    assert len(set(urls)) == 3
    await look_at_pods(spawners)
    await come_back(spawners[0])
    await lose_one(spawners[1])
    await asyncio.gather(*(each.stop() for each in spawners))
    assert [await each.poll() for each in spawners] == [1, 1, 1]
    core = shared_client("CoreV1Api")
    found = await core.list_namespaced_pod(NAMESPACE, label_selector="component=singleuser-server")
    assert [each.metadata.name for each in found.items if not each.metadata.deletion_timestamp] == []
    await KubeSpawner._stop_all_reflectors()


async def spawn(spawner: KubeSpawner) -> str:
    """Start a server, and read meanwhile what a waiting user would."""
    starting = asyncio.ensure_future(spawner.start())
    spawner._start_future = starting
    async with asyncio.timeout(240):
        messages = [event["message"] async for event in spawner.progress()]
        url = await starting
        # The last events may come after what they tell of; then whoever looks again sees them.
        for words in ("successfully assigned", "started"):
            while not any(words in each.lower() for each in messages):
                await asyncio.sleep(0.2)
                messages += [event["message"] for event in spawner.events]
    assert await spawner.poll() is None
    return url


async def look_at_pods(spawners: list[KubeSpawner]) -> None:
    """What the reflector knows, and what the pods are like."""
    core = shared_client("CoreV1Api")
    for spawner in spawners:
        known = spawner.pod_reflector.pods[f"{NAMESPACE}/{spawner.pod_name}"]
        assert known["status"]["phase"] == "Running"
        pod = await core.read_namespaced_pod(spawner.pod_name, NAMESPACE)
        assert pod.metadata.labels["course"] == "physics"
        (container,) = pod.spec.containers
        assert {each.name: each.value for each in container.env}["GREETING"] == "hello"
        assert container.resources.limits["memory"] == str(64 * 1024 * 1024)


async def come_back(spawner: KubeSpawner) -> None:
    """A hub that was restarted finds the server again, from what it had stored."""
    again = spawner_of(spawner.user.name)
    again.load_state(spawner.get_state())
    assert await again.poll() is None


async def lose_one(spawner: KubeSpawner) -> None:
    """A pod that somebody else deletes is noticed."""
    core = shared_client("CoreV1Api")
    await core.delete_namespaced_pod(spawner.pod_name, NAMESPACE, grace_period_seconds=0)
    async with asyncio.timeout(150):
        while await spawner.poll() is None:
            await asyncio.sleep(0.1)


asyncio.run(main())
