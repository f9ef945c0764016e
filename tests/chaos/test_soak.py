"""Something of every kind of workload lives in a cluster that is broken again and again, and comes to rest afterwards."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.support.cluster_faults import ClusterFaults, Mend, mended
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually
from tests.support.soak import NODES, Witness, job, unsettled, workloads
from tests.support.waiting import rest

pytestmark = [pytest.mark.cluster, pytest.mark.etcd]

SEED = int(os.environ.get("KUBARIUM_SEED") or random.randrange(2**32))
SOAK_S = float(os.environ.get("KUBARIUM_SOAK_S") or 180)
LONGEST_S = 6.0  # that a fault lasts, wall seconds
REST_S = 180.0


@pytest.mark.timeout(SOAK_S + 400)
def test_everything_comes_to_rest_after_faults(start_cluster: StartCluster):
    """What was acknowledged is there, everything has the pods that it was told to have, and each Job has counted exactly once.

    KUBARIUM_SEED repeats a run, KUBARIUM_SOAK_S makes it longer.
    """
    print(f"KUBARIUM_SEED={SEED}")
    rng = random.Random(SEED)
    cluster = start_cluster(
        "soak", nodes=NODES, runtime="hollow", profile="fast", time_scale=4, etcd=3, apiservers=2, schedulers=2, controllers=2,
    )  # fmt: skip
    kubectl = Kubectl(cluster.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl.apply(*workloads())

    soak = Soak(ClusterFaults(cluster, rng), kubectl, rng, Witness())
    soak.run(time.monotonic() + SOAK_S)
    soak.mend(everything=True)
    soak.come_to_rest()


@dataclass(slots=True)
class Soak:
    """Breaks things, some at once, and uses the cluster meanwhile."""

    faults: ClusterFaults
    kubectl: Kubectl
    rng: random.Random
    witness: Witness
    _broken: list[tuple[float, Mend]] = field(default_factory=list)

    def run(self, until_s: float) -> None:
        """Go on until then."""
        for number in itertools.count():
            if (now_s := time.monotonic()) >= until_s:
                return
            what, mend = self.faults.draw()
            print(f"{until_s - now_s:6.1f} s left: {what}")
            self._broken.append((now_s + self.rng.uniform(1, LONGEST_S), mend))
            self._use(number)
            rest(self.rng.uniform(0, 2), "the next fault comes at any moment")
            self.mend()

    def mend(self, *, everything: bool = False) -> None:
        """Mend what has lasted as long as it was to last."""
        now_s = time.monotonic()
        due = [each for each in self._broken if everything or each[0] <= now_s]
        self._broken = [each for each in self._broken if each not in due]
        for _, mend in due:
            eventually(partial(mended, mend), what="a fault that is mended")

    def come_to_rest(self) -> None:
        """Wait until everything is as it was asked for.

        Raises:
            AssertionError: it is not in time; the message names what is not.
        """
        problems: list[str] = []

        def at_rest() -> bool:
            problems[:] = unsettled(self.kubectl, self.witness)
            return not problems

        try:
            eventually(at_rest, timeout_s=REST_S, every_s=1)
        except AssertionError as error:
            raise AssertionError("\n".join([f"seed {SEED}", *problems])) from error

    def _use(self, number: int) -> None:
        """Scale something, or ask for something new; what is acknowledged has to hold."""
        match self.rng.randrange(4):
            case 0 | 1:
                thing, replicas = self.rng.choice(sorted(self.witness.replicas)), self.rng.randint(1, 6)
                eventually(partial(self._scaled, thing, replicas), what=f"{thing} scaled")
                self.witness.replicas[thing] = replicas
            case 2 if self._asked("create", "configmap", f"kept-{number}"):
                self.witness.maps.add(f"kept-{number}")
            case 3 if self._asked("create", "-f", "-", stdin=json.dumps(job(f"batch-{number}"))):
                self.witness.jobs.add(f"batch-{number}")

    def _scaled(self, thing: str, replicas: int) -> bool:
        """Ask for so many replicas; the last word has to be known, so that it is asked until it is acknowledged."""
        self.mend()
        return self._asked("scale", thing, f"--replicas={replicas}")

    def _asked(self, *arguments: str, stdin: str = "") -> bool:
        return self.kubectl.run(*arguments, "--request-timeout=5s", stdin=stdin).code == 0
