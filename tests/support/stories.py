"""Tests of what users do, begun side by side: most of the time each of them waits for a cluster that could serve the others.

A story is a test whose body has a user's place in a cluster: a namespace, a folder, an environment. It is told in a
thread, and begins with all the others that are to be run. Those of one lane share a cluster; in `DEADLY`, one at a time,
so that a story may kill what all of them need.
"""

from __future__ import annotations

import inspect
import itertools
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kubarium import Cluster
from tests.support.client_programs import run_program, running, user_environment
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, own_namespace

_NUMBERS = itertools.count(1)


class Lane(NamedTuple):
    """Stories that share a cluster: its name and size, and how many of them are told at once."""

    name: str
    nodes: int
    at_once: int


SHARED = Lane("clients", nodes=2, at_once=3)
DEADLY = Lane("clients-deadly", nodes=1, at_once=1)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who works in a namespace of a cluster, and keeps things in a folder."""

    cluster: Cluster
    kubectl: Kubectl
    folder: Path

    def run(self, command: list[str], timeout_s: float = 300, **environment: str) -> str:
        """Run a program to its end, which has to be a good one. Return what it printed."""
        return run_program(command, self.environment | environment, self.folder, timeout_s)

    @contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Have a program run that goes on by itself; what it prints is shown where the test fails."""
        with running(command, self.environment, self.folder) as process:
            yield process

    @property
    def environment(self) -> dict[str, str]:
        """What the user's programs find."""
        return user_environment(self.kubectl, self.folder)


def story(lane: Lane = SHARED) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test of a body that takes a `User` and the test's parameters."""

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        def test(stories: Stories, request: pytest.FixtureRequest, **_: Any) -> None:
            stories.finish(request.node)

        mine = [each for name, each in inspect.signature(test).parameters.items() if name != "_"]
        others = [each for name, each in inspect.signature(body).parameters.items() if name != "user"]
        test.__signature__ = inspect.Signature([*mine, *others])  # type: ignore[attr-defined]  # pytest reads it
        test.__name__, test.__doc__, test.__module__ = body.__name__, body.__doc__, body.__module__
        test.__dict__.update(body.__dict__, body=body, lane=lane)
        return test

    return decorate


class Stories:
    """The stories among some tests, begun side by side; `finish` waits for one of them."""

    def __init__(self, tests: Sequence[pytest.Item], start: StartCluster, folder: Path) -> None:
        self._folder = folder
        self._pools: list[ThreadPoolExecutor] = []
        self._told: dict[str, Future[None]] = {}
        chosen = [
            test for test in tests if isinstance(test, pytest.Function) and hasattr(test.function, "lane")
        ]
        for lane in dict.fromkeys(test.function.lane for test in chosen):
            cluster = start(lane.name, nodes=lane.nodes, runtime="docker", profile="fast")
            self._begin(cluster, lane, [test for test in chosen if test.function.lane == lane])

    def _begin(self, cluster: Cluster, lane: Lane, tests: list[pytest.Function]) -> None:
        pool = ThreadPoolExecutor(lane.at_once)
        self._pools.append(pool)
        self._told |= {test.nodeid: pool.submit(self._tell, test, cluster) for test in tests}

    def _tell(self, test: pytest.Function, cluster: Cluster) -> None:
        words = test.originalname.removeprefix("test_").replace("_", "-")[:50].strip("-")
        name = f"{words}-{next(_NUMBERS)}"
        folder = self._folder / name
        folder.mkdir()
        parameters = test.callspec.params if hasattr(test, "callspec") else {}
        with own_namespace(cluster.kubeconfig, name) as kubectl:
            test.function.body(User(cluster, kubectl, folder), **parameters)

    def finish(self, test: pytest.Item) -> None:
        """Wait for the end of a test's story; what it raised is raised here."""
        self._told[test.nodeid].result()

    def close(self) -> None:
        """Wait for the stories that are under way; the others do not begin any more."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
