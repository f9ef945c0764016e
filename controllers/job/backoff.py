"""How long a Job waits before it replaces pods that failed: 10 s after the first failure, doubled to 10 min.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controllers.core.moment import Moment
from controllers.job.pods import all_failures_of_index, ended_s
from machinery.model.backoff import Backoff
from machinery.model.k8s.core_v1 import Pod

BACKOFF: Final = Backoff(initial_s=10.0, cap_s=600.0)


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of a Job's pods since one last succeeded, as far as this process has seen them."""

    count: int = 0
    last_s: float = 0.0
    known: frozenset[str] = frozenset()  # uids of ended pods that are in this already

    def with_ended(self, succeeded: Iterable[Pod], failed: Iterable[Pod], moment: Moment) -> Failures:
        """Return the failures after some pods more have ended; those that are known change nothing."""
        ended = {pod.metadata.uid for pods in (succeeded, failed) for pod in pods}
        good = [ended_s(pod, moment) for pod in succeeded if pod.metadata.uid not in self.known]
        bad = [ended_s(pod, moment) for pod in failed if pod.metadata.uid not in self.known]
        known = frozenset(ended)
        if good:
            bad = [at for at in bad if at > max(good)]
            return Failures(len(bad), max(bad, default=0.0), known)
        if not bad:
            return self if known == self.known else Failures(self.count, self.last_s, known)
        return Failures(self.count + len(bad), max(bad), known)

    def remaining_s(self, moment: Moment) -> float:
        """Return how long no pod is to be made."""
        return max(0.0, BACKOFF.delay(self.count) - (moment.now_s - self.last_s)) if self.count else 0.0


def remaining_of_index_s(last_failed: Pod | None, moment: Moment) -> float:
    """Return how long no pod of an index is to be made, whose last one failed."""
    if last_failed is None:
        return 0.0
    failures = all_failures_of_index(last_failed) + 1
    return max(0.0, BACKOFF.delay(failures) - (moment.now_s - ended_s(last_failed, moment)))
