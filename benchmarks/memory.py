"""What an idle cluster of three nodes costs: memory as PSS (shared pages divided among their sharers), and CPU.

Then the same with 500 CustomResourceDefinitions, of which there are no objects.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import psutil

from benchmarks.api_load import client
from benchmarks.clusters import cluster
from benchmarks.kubeconfig import read
from kubarium import Cluster
from kubarium.host.usage import usage

SETTLE_S: Final = 20.0
WATCH_S: Final = 30.0
DEFINITIONS: Final = 500
_FIELDS: Final = 24  # of the spec of a definition, which has 8 KB with its two versions
_DEFINITIONS_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Idle(NamedTuple):
    """What every process takes while nothing happens, the supervisor's too."""

    pss_mib: dict[str, float]
    cpu_percent_of_a_core: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it as results have it."""
        return {
            "pss_mib": self.pss_mib,
            "total_mib": round(sum(self.pss_mib.values()), 1),
            "idle_cpu_percent_of_a_core": self.cpu_percent_of_a_core,
            "total_idle_cpu_percent_of_a_core": round(sum(self.cpu_percent_of_a_core.values()), 2),
        }


def measure(*, runtime: str = "docker", definitions: int = DEFINITIONS) -> dict[str, Any]:
    """Report MiB and CPU share of every process and of all together while idle, without definitions and with them.

    Raises:
        RuntimeError: a definition is not served.
    """
    with cluster(nodes=3, runtime=runtime) as handle:
        idle = _idle(handle)
        asyncio.run(_define(Path(handle.kubeconfig), definitions))
        defined = _idle(handle)
    added = {name: round(defined.pss_mib[name] - mib, 1) for name, mib in idle.pss_mib.items()}
    return {
        **idle.to_json(),
        "with_definitions": {
            "count": definitions,
            "added_mib": added,
            "total_added_mib": round(sum(added.values()), 1),
            **defined.to_json(),
        },
    }


def _idle(handle: Cluster) -> Idle:
    time.sleep(SETTLE_S)
    pids = {process.name: process.pid for process in handle.ps()}
    pids["supervisor"] = psutil.Process(pids["etcd"]).ppid()
    before, began = usage(pids.values()), time.monotonic()
    time.sleep(WATCH_S)
    elapsed = time.monotonic() - began
    after = usage(pids.values())
    return Idle(
        {name: round(after[pid].pss_bytes / 2**20, 1) for name, pid in pids.items()},
        {
            name: round(100 * (after[pid].cpu_s - before[pid].cpu_s) / elapsed, 2)
            for name, pid in pids.items()
        },
    )


async def _define(kubeconfig: Path, count: int) -> None:
    """Make definitions, and wait until each is served."""
    async with client(read(kubeconfig), 4) as session:
        for index in range(count):
            async with session.post(_DEFINITIONS_PATH, json=_definition(index)) as answer:
                answer.raise_for_status()
        for index in range(count):
            await _until_served(session, f"/apis/bench.example.com/v1/kind{index}s")


async def _until_served(session: aiohttp.ClientSession, path: str) -> None:
    for _ in range(300):
        async with session.get(path) as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{path} is not served")


def _definition(index: int) -> dict[str, Any]:
    name = f"kind{index}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.bench.example.com"},
        "spec": {
            "group": "bench.example.com",
            "scope": "Namespaced",
            "names": {"plural": name, "kind": f"Kind{index}"},
            "versions": [_version("v1", storage=True), _version("v1beta1", storage=False)],
        },
    }


def _version(name: str, *, storage: bool) -> dict[str, Any]:
    text = {"type": "string", "description": "What an operator writes about a field of its own, in a line."}
    parts = {"type": "array", "items": {"type": "object", "properties": {"name": text, "value": text}}}
    fields = {f"field{index}": text if index % 4 else parts for index in range(_FIELDS)}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}
