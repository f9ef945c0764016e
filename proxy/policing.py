"""NetworkPolicies, and what they are about: pods and namespaces are watched only while there is a policy.

So a cluster without policies pays for one watch of nothing. When the first policy comes, it takes effect as soon as
all pods and namespaces are known; at a start nothing is written before, so that rules which stand are not taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Namespace, Pod
from machinery.model.k8s.networking_v1 import NetworkPolicy
from machinery.model.log import EventLog
from machinery.model.network_policies import Policy, pod_of, policy_of
from machinery.model.resources import NAMESPACES, NETWORK_POLICIES, PODS
from machinery.model.store import Change, Store, key_of
from proxy.core.merged import Owner
from proxy.core.policies import Policies

POD_FIELDS: Final = (
    "metadata.labels",
    "spec.containers.ports",
    "spec.hostNetwork",
    "spec.initContainers.ports",
    "spec.initContainers.restartPolicy",
    "spec.nodeName",
    "status.phase",
    "status.podIPs",
)


class _Surroundings:
    """Informers of what policies are about."""

    def __init__(self, api: Api, clock: Clock, log: EventLog) -> None:
        self.pods: Informer[Pod] = Informer(api, PODS, clock=clock, keep=trimmer(Pod, POD_FIELDS), log=log)
        self.namespaces: Informer[Namespace] = Informer(
            api, NAMESPACES, clock=clock, keep=trimmer(Namespace, ("metadata.labels",)), log=log
        )

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """All of them."""
        return self.pods, self.namespaces


class Policing:
    """Keeps `policies`, one of each family of addresses, up to date: `look` hands over what has changed, after `wake` was called."""

    def __init__(
        self,
        api: Api,
        policies: Sequence[Policies],
        wake: Callable[[], None],
        *,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._api = api
        self._wanted = policies
        self._wake = wake
        self._clock = clock
        self._log = log
        self._policies: Informer[NetworkPolicy] = Informer(
            api, NETWORK_POLICIES, clock=clock, keep=trimmer(NetworkPolicy, ("spec",)), log=log
        )
        self._around: _Surroundings | None = None  # once all of it is known
        self._changed_policies: set[Owner] = set()
        self._changed_pods: set[Owner] = set()
        self._changed_namespaces: set[str] = set()
        self._is_any = asyncio.Event()
        self._is_none = asyncio.Event()
        self._is_known = asyncio.Event()

    async def known(self) -> None:
        """Wait until `look` can hand over all policies that there are, with all that they are about."""
        await self._is_known.wait()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._policies.run(), name="informer-networkpolicies")
            await self._policies.synced()
            self._policies.subscribe(self._on_policy)
            if not len(self._policies.store):
                self._is_known.set()
            while True:
                await self._is_any.wait()
                await self._watch_surroundings()

    def look(self) -> None:
        """Hand over what has changed. While pods and namespaces are not known, policies wait for them."""
        around = self._around
        if around is None and len(self._policies.store):
            return
        pods, self._changed_pods = self._changed_pods, set()
        for key in pods:
            pod = around.pods.store.get(*key) if around else None
            seen = pod_of(pod) if pod else None
            for wanted in self._wanted:
                wanted.put_pod(*key, seen)
        namespaces, self._changed_namespaces = self._changed_namespaces, set()
        for name in namespaces:
            namespace = around.namespaces.store.get("", name) if around else None
            for wanted in self._wanted:
                wanted.put_namespace(name, namespace.metadata.labels if namespace else None)
        policies, self._changed_policies = self._changed_policies, set()
        for key in policies:
            policy = self._read(key)
            for wanted in self._wanted:
                wanted.put_policy(*key, policy)

    async def _watch_surroundings(self) -> None:
        around = _Surroundings(self._api, self._clock, self._log)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in around.informers]
            for informer in around.informers:
                await informer.synced()
            around.pods.subscribe(self._on_pod)
            around.namespaces.subscribe(self._on_namespace)
            self._around = around
            self._is_known.set()
            self._wake()
            await self._is_none.wait()
            for task in running:
                task.cancel()
        self._around = None
        self._changed_pods.update(map(key_of, around.pods.store))
        self._changed_namespaces.update(each.metadata.name for each in around.namespaces.store)
        self._wake()

    def _read(self, key: Owner) -> Policy | None:
        policy = self._policies.store.get(*key)
        if policy is None:
            return None
        try:
            return policy_of(policy)
        except ValueError as error:  # of what an apiserver with other rules has let in
            self._log.error("network_policy_unreadable", policy="/".join(key), error=str(error))
            return None

    def _on_policy(self, change: Change[NetworkPolicy]) -> None:
        self._changed_policies.add(key_of(change.object))
        _switch(self._policies.store, self._is_any, self._is_none)
        self._wake()

    def _on_pod(self, change: Change[Pod]) -> None:
        self._changed_pods.add(key_of(change.object))
        self._wake()

    def _on_namespace(self, change: Change[Namespace]) -> None:
        self._changed_namespaces.add(change.object.metadata.name)
        self._wake()


def _switch(store: Store[NetworkPolicy], is_any: asyncio.Event, is_none: asyncio.Event) -> None:
    on, off = (is_any, is_none) if len(store) else (is_none, is_any)
    on.set()
    off.clear()
