"""NetworkPolicies, and what they are about: pods and namespaces are watched only while there is a policy.

So a cluster without policies pays for one watch of nothing. When the first policy comes, it takes effect as soon as
all pods and namespaces are known; at a start nothing is written before, so that rules which stand are not taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
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


@dataclass(slots=True)
class _Changed:
    """What has changed since it was handed over for the last time: to the policies of one family of addresses."""

    wanted: Policies
    policies: set[Owner] = field(default_factory=set)
    pods: set[Owner] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)


class Policing:
    """Keeps `policies`, one of each family of addresses, up to date: each of `looks` hands over to one of them what has changed, after `wake` was called.

    They are apart, as each family's loop may have its table changed only while it does not write it.
    """

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
        self._changed = [_Changed(each) for each in policies]
        self._wake = wake
        self._clock = clock
        self._log = log
        self._policies: Informer[NetworkPolicy] = Informer(
            api, NETWORK_POLICIES, clock=clock, keep=trimmer(NetworkPolicy, ("spec",)), log=log
        )
        self._around: _Surroundings | None = None  # once all of it is known
        self._is_any = asyncio.Event()
        self._is_none = asyncio.Event()
        self._is_known = asyncio.Event()

    @property
    def looks(self) -> list[Callable[[], None]]:
        """What hands over, to each of the policies in their order."""
        return [partial(self._hand_over, each) for each in self._changed]

    async def known(self) -> None:
        """Wait until `looks` can hand over all policies that there are, with all that they are about."""
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

    def _hand_over(self, changed: _Changed) -> None:
        """Hand over what has changed to one of the policies. While pods and namespaces are not known, policies wait for them."""
        around = self._around
        if around is None and len(self._policies.store):
            return
        pods, changed.pods = changed.pods, set()
        for key in pods:
            pod = around.pods.store.get(*key) if around else None
            changed.wanted.put_pod(*key, pod_of(pod) if pod else None)
        namespaces, changed.namespaces = changed.namespaces, set()
        for name in namespaces:
            namespace = around.namespaces.store.get("", name) if around else None
            changed.wanted.put_namespace(name, namespace.metadata.labels if namespace else None)
        policies, changed.policies = changed.policies, set()
        for key in policies:
            changed.wanted.put_policy(*key, self._read(key))

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
        for changed in self._changed:
            changed.pods.update(map(key_of, around.pods.store))
            changed.namespaces.update(each.metadata.name for each in around.namespaces.store)
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
        for changed in self._changed:
            changed.policies.add(key_of(change.object))
        _switch(self._policies.store, self._is_any, self._is_none)
        self._wake()

    def _on_pod(self, change: Change[Pod]) -> None:
        for changed in self._changed:
            changed.pods.add(key_of(change.object))
        self._wake()

    def _on_namespace(self, change: Change[Namespace]) -> None:
        for changed in self._changed:
            changed.namespaces.add(change.object.metadata.name)
        self._wake()


def _switch(store: Store[NetworkPolicy], is_any: asyncio.Event, is_none: asyncio.Event) -> None:
    on, off = (is_any, is_none) if len(store) else (is_none, is_any)
    on.set()
    off.clear()
