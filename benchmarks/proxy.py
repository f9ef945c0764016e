"""What one change costs a node's proxy beside 10, 1,000 and 10,000 Services: one of three endpoints is replaced by another.

A network namespace and a process for each size, fed as by its watches, with the real nft. CPU is the process's own and
that of nft; seconds are those from the event until it is in the kernel. The first table is written the same way.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import psutil

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import SILENT
from machinery.model.requests import EventType, WatchEvent
from machinery.model.resources import ENDPOINT_SLICES, NODES, SERVICES
from machinery.process.clock import SystemClock
from proxy.app import NODE_FIELDS, SERVICE_FIELDS, SLICE_FIELDS
from proxy.commands import Commands
from proxy.conntrack import Conntrack
from proxy.core.desired import Desired
from proxy.nft import Nft
from proxy.routes import Routes
from proxy.sync import BY_SERVICE, Kernel, Stores, Syncer, services_of
from tests.support.builders import changed
from tests.support.proxy import Nowhere, endpoint, endpoint_slice, routed_node, service

SIZES: Final = (10, 1_000, 10_000)
CHANGES: Final = 30
_NODES: Final = 100
_SPACE: Final = f"kubarium-bench-{os.getpid()}"


def measure() -> dict[str, Any]:
    """Report milliseconds, and the MiB that the proxy's knowledge takes, for each number of Services.

    Raises:
        RuntimeError: a process fails.
    """
    return {f"{size}_services": _in_a_namespace(size) for size in SIZES}


def _in_a_namespace(size: int) -> Any:
    subprocess.run(["ip", "netns", "add", _SPACE], check=True)
    try:
        command = ["ip", "netns", "exec", _SPACE, sys.executable, "-m", "benchmarks.proxy", str(size)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    finally:
        subprocess.run(["ip", "netns", "delete", _SPACE], check=True)
    if done.returncode:
        raise RuntimeError(f"the proxy's process ended with {done.returncode}")
    return json.loads(done.stdout)


class _Watched:
    """Informers as the proxy has them, which get their events here."""

    def __init__(self) -> None:
        clock, none = SystemClock(), cast("Api", None)  # nobody runs them
        self._revision = 0
        services = Informer(none, SERVICES, clock=clock, keep=trimmer(Service, SERVICE_FIELDS))
        nodes = Informer(none, NODES, clock=clock, keep=trimmer(Node, NODE_FIELDS))
        slices = Informer(
            none,
            ENDPOINT_SLICES,
            clock=clock,
            indexers={BY_SERVICE: services_of},
            keep=trimmer(EndpointSlice, SLICE_FIELDS),
        )
        self._informers: dict[type, Informer[Any]] = {Service: services, EndpointSlice: slices, Node: nodes}
        commands = Commands(clock, timeout_s=120)
        self.syncer = Syncer(
            Desired("node-0", "10.0.0.0/9", sees_bridged=True),
            Stores(services.store, slices.store, nodes.store),
            Kernel(Nft(commands), Routes(commands), Conntrack(commands), Nowhere(), Nowhere()),
            clock=clock,
            log=SILENT,
            period_s=30,
            min_gap_s=0.05,
        )
        services.subscribe(self.syncer.on_service)
        slices.subscribe(self.syncer.on_slice)
        nodes.subscribe(self.syncer.on_node)

    def put(self, obj: Service | EndpointSlice | Node) -> None:
        """Pass an event with an object on."""
        self._revision += 1
        told = changed(obj, metadata__resourceVersion=str(self._revision))
        self._informers[type(obj)].apply(WatchEvent(EventType.MODIFIED, self._revision, told))


def _address(net: int, number: int) -> str:
    return f"10.{net + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


def _slice(index: int, replaced: int = 0, turn: int = 0) -> EndpointSlice:
    """Return the endpoints of a Service, some of them replaced by others, which are new ones in each turn."""
    first = 3 * index
    numbers = [first + place + (500_000 + 3 * turn if place < replaced else 0) for place in range(3)]
    ends = [endpoint(_address(0, number), node=f"node-{number % _NODES}") for number in numbers]
    return endpoint_slice(*ends, of=f"svc-{index}", port=8080)


async def _run(size: int) -> dict[str, Any]:
    watched, before_mib = _Watched(), _memory_mib()
    for index in range(_NODES):
        watched.put(routed_node(f"node-{index}", f"10.{index}.0.0/24", ""))
    for index in range(size):
        watched.put(service(f"svc-{index}", ip=_address(200, index)))
        watched.put(_slice(index))
    first = await _cost(lambda: None, watched.syncer)
    settled_mib = _memory_mib()
    events = [partial(watched.put, _slice(turn * size // CHANGES, 1, turn)) for turn in range(CHANGES)]
    rounds = [await _cost(event, watched.syncer) for event in events]
    return {
        "first_table": first,
        "one_change": {name: round(statistics.median(each[name] for each in rounds), 2) for name in first},
        "memory_mib": round(settled_mib - before_mib, 1),
    }


async def _cost(event: Callable[[], object], syncer: Syncer) -> dict[str, float]:
    """Return what an event costs until it is in the kernel."""
    began, own_s, children_s = time.monotonic(), time.process_time(), _children_s()
    event()
    await syncer.sync(anyway=False)
    return {
        "ms_until_in_the_kernel": round(1_000 * (time.monotonic() - began), 2),
        "proxy_cpu_ms": round(1_000 * (time.process_time() - own_s), 2),
        "nft_cpu_ms": round(1_000 * (_children_s() - children_s), 2),
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory_mib() -> float:
    return float(psutil.Process().memory_full_info().uss) / 2**20


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(int(sys.argv[1])))))
