"""What a Service's address costs a connection, against the pod's own: two nodes and four pods in network namespaces, real nft.

A server answers with one byte (latency of a connection), or takes what comes (throughput of one connection); the same node,
the other node. Rounds by both ways take turns, so that what else the machine does strikes both. Beside the Service there are
1,000 others.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from machinery.process.clock import SystemClock
from proxy.commands import Commands
from proxy.core.desired import Desired
from proxy.nft import Nft
from proxy.routes import enable_forwarding, sees_bridged
from tests.support import netns
from tests.support.netns import NODE_IPS, POD_CIDRS, POD_IPS, Lab, inside
from tests.support.proxy import PORT, endpoint, endpoint_slice, routed_node, service

OTHERS: Final = 1_000
ROUNDS: Final = 15
CONNECTIONS: Final = 100  # a round
THROUGHPUT_S: Final = 0.5  # a round
_GREETS: Final = 9123
_TAKES: Final = 9124
_SERVICES: Final = {"pod-1b": "10.96.1.1", "pod-2a": "10.96.1.2"}
_BLOCK: Final = bytes(1 << 18)


def measure() -> dict[str, Any]:
    """Report microseconds of a connection and its first byte, and gigabits a second, by ClusterIP and direct."""
    with netns.lab() as lab, _serving(lab):
        for node in NODE_IPS:
            inside(lab.space(node), lambda node=node: asyncio.run(_write(node)))  # type: ignore[misc]
            other = next(each for each in NODE_IPS if each != node)
            lab.run(node, "ip", "route", "replace", POD_CIDRS[other], "via", NODE_IPS[other])
        return {name: _compare(lab, pod) for name, pod in (("same_node", "pod-1b"), ("other_node", "pod-2a"))}


async def _write(node: str) -> None:
    """Put the rules of all Services in a node's kernel."""
    enable_forwarding()
    wanted = Desired(node, "10.244.0.0/16", sees_bridged=sees_bridged())
    for name, address in NODE_IPS.items():
        wanted.put_node(name, routed_node(name, POD_CIDRS[name], address))
    for port in (_GREETS, _TAKES):
        for pod in _SERVICES:
            name = f"{pod}-{port}"
            ends = [endpoint_slice(endpoint(POD_IPS[pod]), of=name, port=port)]
            made = service(name, ip=_service_ip(pod, port))
            wanted.put_service(("default", name), made, ends)
    for index in range(OTHERS):
        name = f"other-{index}"
        ends = [endpoint_slice(endpoint(f"10.244.3.{index % 250 + 1}"), of=name)]
        wanted.put_service(
            ("default", name), service(name, ip=f"10.96.{2 + index // 250}.{index % 250 + 1}"), ends
        )
    await Nft(Commands(SystemClock(), 60)).apply(wanted.table)


@contextmanager
def _serving(lab: Lab) -> Iterator[None]:
    """Have pods greet at one port, and take what comes at another."""
    done = threading.Event()
    doors = [(lab.listen(pod, port), port) for pod in _SERVICES for port in (_GREETS, _TAKES)]
    threads = [threading.Thread(target=_serve, args=(door, port, done)) for door, port in doors]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for door, _ in doors:
            door.close()


def _serve(door: socket.socket, port: int, done: threading.Event) -> None:
    door.listen(512)
    door.settimeout(0.1)
    while not done.is_set():
        try:
            client, _ = door.accept()
        except TimeoutError:
            continue
        with client:
            if port == _GREETS:
                client.sendall(b"!")
                continue
            client.settimeout(2)
            while client.recv(1 << 20):
                pass


def _compare(lab: Lab, pod: str) -> dict[str, Any]:
    ways = {"direct": POD_IPS[pod], "cluster_ip": ""}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, address in ways.items():
            greets, takes = ((address, _GREETS), (address, _TAKES)) if address else _service_doors(pod)
            found[way].append((_connect_us(lab, greets), _gigabits(lab, takes)))
    return {
        way: {
            "connection_and_first_byte_us": round(statistics.median(each[0] for each in rounds), 1),
            "throughput_gbit_s": round(statistics.median(each[1] for each in rounds), 2),
        }
        for way, rounds in found.items()
    }


def _service_doors(pod: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (_service_ip(pod, _GREETS), PORT), (_service_ip(pod, _TAKES), PORT)


def _service_ip(pod: str, port: int) -> str:
    return _SERVICES[pod] if port == _GREETS else f"{_SERVICES[pod]}0"


def _connect_us(lab: Lab, door: tuple[str, int]) -> float:
    taken: list[float] = []
    clients = [lab.client("pod-1a") for _ in range(CONNECTIONS)]
    for client in clients:
        began = time.perf_counter()
        client.connect(door)
        client.recv(1)
        taken.append(time.perf_counter() - began)
        client.close()
    return statistics.median(taken) * 1e6


def _gigabits(lab: Lab, door: tuple[str, int]) -> float:
    sent = 0
    with lab.client("pod-1a") as client:
        client.connect(door)
        began = time.perf_counter()
        while time.perf_counter() < began + THROUGHPUT_S:
            sent += client.send(_BLOCK)
        return sent * 8 / 1e9 / (time.perf_counter() - began)
