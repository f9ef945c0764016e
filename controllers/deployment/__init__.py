"""The Deployment controller: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/.

controller  what it watches, whom a change concerns, what it looks at
template    which ReplicaSet carries the template of now
revisions   the annotations that history and scaling are kept in
sizes       how many pods each ReplicaSet may have
strategy    the next step: rolling, recreate, or scaling in proportion
status      what is told about it
plan        all of that, put together
"""

from controllers.deployment.controller import build

__all__ = ["build"]
