"""Deployments and the others, and their pods."""

from __future__ import annotations

from typing import Any

from tests.support.visited.objects import PODS_EACH, Json, is_ready, made, owned_by


def template(index: int, more: Json | None = None, *, app: str = "web", image: str = "a") -> Json:
    """Return a template of pods."""
    return {
        "metadata": {"labels": {"app": f"{app}-{index}"}},
        "spec": {"containers": [{"name": "main", "image": image}], **(more or {})},
    }


def deployment(index: int, replicas: int = PODS_EACH) -> Json:
    """Return a Deployment."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": f"web-{index}"}},
        "template": template(index),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
    }
    return made("apps/v1", "Deployment", f"web-{index}", spec=spec)


def replica_set(index: int, *, owned: bool = True) -> Json:
    """Return a Deployment's ReplicaSet, or one that nobody owns."""
    labels = {"app": f"web-{index}"}
    metadata = {"labels": labels, "ownerReferences": owned_by(deployment(index)) if owned else []}
    spec = {"replicas": PODS_EACH, "selector": {"matchLabels": labels}, "template": template(index)}
    return made("apps/v1", "ReplicaSet", f"web-{index}-hash", metadata=metadata, spec=spec)


def stateful_set(index: int, replicas: int = 1) -> Json:
    """Return a StatefulSet whose pods have claims."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": f"db-{index}"}},
        "template": template(index),
        "volumeClaimTemplates": [{"metadata": {"name": "disk"}}],
    }
    return made("apps/v1", "StatefulSet", f"db-{index}", spec=spec)


def daemon_set(index: int, image: str = "app:1") -> Json:
    """Return a DaemonSet that suits one node."""
    pods = template(
        index, {"nodeSelector": {"kubernetes.io/hostname": f"node-{index}"}}, app="agent", image=image
    )
    spec = {
        "selector": {"matchLabels": {"app": f"agent-{index}"}},
        "template": pods,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "revisionHistoryLimit": 10,
    }
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    return made("apps/v1", "DaemonSet", f"agent-{index}", spec=spec, status=dict.fromkeys(counts, 0))


def replication_controller(index: int, replicas: int = 1) -> Json:
    """Return a ReplicationController without pods."""
    spec = {
        "replicas": replicas,
        "selector": {"app": f"old-{index}"},
        "template": template(index, app="old"),
    }
    return made("v1", "ReplicationController", f"old-{index}", spec=spec, status={"replicas": 0})


def job(index: int, *, owned: bool = True, **status: Any) -> Json:
    """Return a CronJob's Job, or one that nobody owns."""
    spec = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 6,
        "selector": {"matchLabels": {"app": f"batch-{index}"}},
        "template": template(index, {"restartPolicy": "Never"}, app="batch"),
        "ttlSecondsAfterFinished": 100,
    }
    metadata = {"ownerReferences": owned_by(cron_job(index)) if owned else []}
    return made("batch/v1", "Job", f"batch-{index}", metadata=metadata, spec=spec, status=status)


def cron_job(index: int, schedule: str = "0 0 1 1 *") -> Json:
    """Return a CronJob."""
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": template(index)}}}
    return made("batch/v1", "CronJob", f"cron-{index}", spec=spec)


def autoscaler(index: int, most: int = 9) -> Json:
    """Return an autoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"web-{index}"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most, "metrics": []}
    status = {"desiredReplicas": 0, "currentReplicas": 0}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", f"web-{index}", spec=spec, status=status)


def revision(index: int, number: int = 1) -> Json:
    """Return a StatefulSet's revision."""
    metadata = {"labels": {"app": f"db-{index}"}, "ownerReferences": owned_by(stateful_set(index))}
    return made("apps/v1", "ControllerRevision", f"db-{index}-hash", metadata=metadata, revision=number)


def pod(index: int, number: int = 0, *, owned: bool = True, **fields: Any) -> Json:
    """Return a pod of a ReplicaSet, on a node of its own; or one that nobody owns."""
    metadata = {
        "labels": {"app": f"web-{index}" if owned else f"bare-{index}", "tier": "all"},
        "ownerReferences": owned_by(replica_set(index)) if owned else [],
        **fields.pop("metadata", {}),
    }
    spec = {"nodeName": f"node-{index}", "containers": [{"name": "main", "ports": [{"containerPort": 80}]}]}
    status = is_ready() | {"phase": "Running", "podIP": f"10.0.{index % 250}.{number + 1}"}
    kind = "web" if owned else "bare"
    return made(
        "v1",
        "Pod",
        f"{kind}-{index}-{number}",
        metadata=metadata,
        spec=spec | fields.pop("spec", {}),
        status=status | fields.pop("status", {}),
    )


def budget(index: int, app: int | None = None) -> Json:
    """Return the budget of a Deployment's pods."""
    selector = {"matchLabels": {"app": f"web-{index if app is None else app}"}}
    spec = {"selector": selector, "maxUnavailable": 1}
    return made("policy/v1", "PodDisruptionBudget", f"budget-{index}", spec=spec)
