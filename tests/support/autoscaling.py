"""An autoscaler with what surrounds it: its target's Scale, pods, what they use, and a memory; plans are carried out here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from controllers.core.actions import (
    Action,
    Attempt,
    Facts,
    Failure,
    Part,
    Patch,
    Plan,
    RecordEvent,
    Refusal,
    Remember,
    Selected,
)
from controllers.core.controller import USUAL, Autoscaling
from controllers.core.moment import Moment
from controllers.horizontal_pod_autoscaler.memory import EMPTY, Memory
from controllers.horizontal_pod_autoscaler.plan import Seen, plan
from machinery.model.k8s.autoscaling_v2 import HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resource_metrics import PODS as POD_METRICS
from machinery.model.resource_metrics import ContainerMetrics, PodMetrics
from machinery.model.resources import DEPLOYMENTS, PODS, SERVICES
from tests.support.builders import meta
from tests.support.controllers import NOW_S, at, merged

KINDS = {("apps", "Deployment"): DEPLOYMENTS, ("", "Service"): SERVICES}
SCALE = Part("apps", "v1", "deployments", "default", "web", "scale")
LONG_AGO = at(-3_000)


def autoscaler(metrics: Sequence[Mapping[str, Any]] = (), **spec: Any) -> HorizontalPodAutoscaler:
    """Return the autoscaler default/web of the Deployment web, from 1 to 10 pods."""
    given = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "metrics": list(metrics or [cpu_target(50)]),
        **spec,
    }
    body: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": given,
        "status": {"desiredReplicas": 0},
    }
    return msgspec.convert(body, HorizontalPodAutoscaler)


def cpu_target(percent: int) -> dict[str, Any]:
    """Return the metric of a share of the CPU that pods request."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def pod(
    name: str,
    request: str | None = "100m",
    *,
    phase: str = "Running",
    ready: str | None = "True",
    started: str | None = LONG_AGO,
    changed: str = LONG_AGO,
    labels: Mapping[str, str] | None = None,
    **more: Any,
) -> Pod:
    """Return a pod of one container, `main`."""
    resources = {"requests": {"cpu": request, "memory": "64Mi"}} if request else {}
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": changed}] if ready else []
    body = {
        "metadata": {"name": name, "namespace": "default", "labels": dict(labels or {"app": "web"})},
        "spec": {"containers": [{"name": "main", "resources": resources}], **more.pop("spec", {})},
        "status": {"phase": phase, "conditions": conditions, "startTime": started},
    }
    body["metadata"] |= more
    return msgspec.convert(body, Pod)


def used(name: str, cpu: str = "50m", memory: str = "32Mi", *, container: str = "main") -> PodMetrics:
    """Return what a pod used in the 15 seconds until now."""
    usage = {"cpu": cpu, "memory": memory}
    return PodMetrics(
        metadata=meta(name, "default"),
        timestamp=at(0),
        window="15s",
        containers=[ContainerMetrics(name=container, usage=usage)],
    )


@dataclass
class Autoscaled:
    """One autoscaler in its world; the time is the tests' now, and goes on by `sync`."""

    autoscaler: HorizontalPodAutoscaler
    replicas: int = 3
    load: float = 150.0  # millicores that all pods use together
    request: str = "100m"
    memory: Memory = EMPTY
    others: dict[tuple[str, ...], str] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)  # beside Scale, pods and what they use
    refusal: Failure | None = None  # of the next scaling
    selector: str = "app=web"
    usual: Autoscaling = USUAL
    passed_s: float = 0.0
    events: list[tuple[str, str, str]] = field(default_factory=list)
    writes: int = 0

    @property
    def moment(self) -> Moment:
        return Moment(NOW_S + self.passed_s, monotonic_s=1_000 + self.passed_s)

    @property
    def status(self) -> HorizontalPodAutoscalerStatus:
        return self.autoscaler.status

    def condition(self, type_: str) -> tuple[str, str | None, str | None] | None:
        """Return status, reason and message of a condition."""
        found = [each for each in self.status.conditions if each.type == type_]
        return (found[0].status, found[0].reason, found[0].message) if found else None

    def plan(self) -> Plan:
        """Make a plan, all of its questions answered."""
        seen = Seen(self.autoscaler, self.memory, self.others, KINDS, self.usual)
        facts = Facts()
        for _ in range(4):
            made = plan(seen, self.moment, facts)
            if not made.needs:
                return made
            facts = Facts(answers={**facts.answers, **{need: self._answer(need) for need in made.needs}})
        raise AssertionError(made.needs)

    def sync(self, later_s: float = USUAL.sync_s) -> int:
        """Have its turn after some time; return how many pods are wanted then."""
        self.passed_s += later_s
        self.events.clear()
        for action in self.plan().actions:
            self._carry_out(action)
        return self.replicas

    def _carry_out(self, action: Action) -> None:
        match action:
            case Remember(note=note):
                _, self.memory = note
            case RecordEvent():
                self.events.append((action.type, action.reason, action.message))
            case Attempt(write=write, then=then, otherwise=otherwise):
                assert isinstance(write, Patch)
                refusal, self.refusal = self.refusal, None
                if refusal is None:
                    self.replicas = write.patch["spec"]["replicas"]
                    self.writes += 1
                for each in otherwise(refusal) if refusal else then:
                    self._carry_out(each)
            case Patch(patch=patch, subresource="status"):
                self.writes += 1
                body = merged(msgspec.to_builtins(self.autoscaler), {"status": patch["status"]})
                self.autoscaler = msgspec.convert(body, HorizontalPodAutoscaler)
            case _:
                raise AssertionError(action)

    def _answer(self, need: Any) -> Any:
        if need in self.answers:
            return self.answers[need]
        if need == SCALE:
            status = {"replicas": self.replicas, "selector": self.selector}
            return {"metadata": {"name": "web"}, "spec": {"replicas": self.replicas}, "status": status}
        names = [f"web-{number}" for number in range(self.replicas)]
        if isinstance(need, Selected) and need.resource == PODS:
            return tuple(pod(name, self.request) for name in names)
        if isinstance(need, Selected) and need.resource == POD_METRICS:
            each = round(self.load / max(1, len(names)) * 1000)
            return tuple(used(name, f"{each}u") for name in names)
        return Refusal("NotFound", "the server could not find the requested resource")
