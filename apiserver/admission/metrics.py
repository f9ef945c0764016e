"""What admission counts, by the names and labels of kube-apiserver's metrics.

https://kubernetes.io/docs/reference/instrumentation/metrics/

    apiserver_admission_step_admission_duration_seconds, apiserver_admission_controller_admission_duration_seconds
    apiserver_admission_webhook_*, apiserver_admission_match_condition_*
    apiserver_validating_admission_policy_check_*

A plugin is measured where it has something to do with the resource of a request; in Kubernetes, where it handles its operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from apiserver.core.admission.attributes import Attributes, operation_of
from apiserver.core.admission.tally import BOUNDS_S, Counted, Tally, count
from machinery.model.clock import Clock
from machinery.process.metrics import Metrics, described, histogram_lines

CALLS_S: Final = (*BOUNDS_S, 10.0, 25.0)
MATCHES_S: Final = (0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25)
_CHECKS_S: Final = (0.0000005, 0.001, 0.01, 0.1, 1.0)
_STEP: Final = "apiserver_admission_step_admission_duration_seconds"
_CONTROLLER: Final = "apiserver_admission_controller_admission_duration_seconds"
_STAGES: Final = "type", "operation", "rejected"
ADMIT: Final = "admit"
VALIDATE: Final = "validate"


class AdmissionMetrics:
    """The durations of stages and plugins, and what policies have found."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self.now = clock.monotonic_wall
        self._steps: defaultdict[str, Tally] = defaultdict(Tally)
        self._plugins: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)
        metrics.add(self)
        policies = "apiserver_validating_admission_policy_check"
        labels = ("policy", "policy_binding", "error_type", "enforcement_action")
        self._checks = metrics.counter(
            f"{policies}_total", "Checks of policies that came to something", labels
        )
        self._check_durations = metrics.histogram(
            f"{policies}_duration_seconds", "Wall time of such checks", labels, _CHECKS_S
        )

    def tally(self, plugin: str, stage: str) -> Tally:
        """Return where the durations of a plugin in a stage are counted."""
        return self._plugins[plugin, stage]

    def step(self, stage: str, attributes: Attributes, begun_s: float, *, is_rejected: bool) -> None:
        """Note the end of a whole stage of a request."""
        self._note(self._steps[stage], attributes, begun_s, is_rejected=is_rejected)

    def note(
        self, plugin: str, stage: str, attributes: Attributes, begun_s: float, *, is_rejected: bool
    ) -> None:
        """Note the end of a plugin's share of a stage."""
        self._note(self._plugins[plugin, stage], attributes, begun_s, is_rejected=is_rejected)

    def _note(self, tally: Tally, attributes: Attributes, begun_s: float, *, is_rejected: bool) -> None:
        counted = tally.refused if is_rejected else tally.done
        count(counted[attributes.verb], self.now() - begun_s)

    def checked(self, policy: str, binding: str, error_type: str, action: str, took_s: float) -> None:
        """Note what came of a validating policy with one binding."""
        values = (policy, binding, error_type, action)
        self._checks.add(1, *values)
        self._check_durations.observe(took_s, *values)

    def lines(self) -> Iterator[str]:
        """Yield the lines of stages and plugins."""
        yield from described(_STEP, "Wall time of a stage of admission", "histogram")
        for stage, tally in self._steps.items():
            yield from _lines(_STEP, _STAGES, (stage,), tally)
        yield from described(_CONTROLLER, "Wall time of an admission plugin", "histogram")
        for plugin, tally in self._plugins.items():
            yield from _lines(_CONTROLLER, ("name", *_STAGES), plugin, tally)


def _lines(name: str, labels: tuple[str, ...], values: tuple[str, ...], tally: Tally) -> Iterator[str]:
    for rejected, by_verb in (("false", tally.done), ("true", tally.refused)):
        for operation, counted in _by_operation(by_verb).items():
            counts = [int(each) for each in counted[:-1]]
            own = (*values, operation, rejected)
            yield from histogram_lines(name, labels, own, BOUNDS_S, counts, counted[-1])


def _by_operation(by_verb: Mapping[str, Counted]) -> Mapping[str, Counted]:
    """Add up the verbs of an operation."""
    found: dict[str, Counted] = {}
    for verb, counted in by_verb.items():
        operation = operation_of(verb).value
        before = found.get(operation) or [0] * len(counted)
        found[operation] = [one + other for one, other in zip(before, counted, strict=True)]
    return found
