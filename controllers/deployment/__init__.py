"""The Deployment controller: replace pods of one template by pods of the next, and keep what was before for undo.

controller   what it watches, whom a change concerns, what it looks at
template     which ReplicaSet carries the template of now
annotations  what history and scaling are kept in
rollout      all that strategy, status and revisions read: computed once
revisions    what its ReplicaSets are annotated with
sizes        how many pods each ReplicaSet may have
strategy     the next step: rolling, recreate, or scaling in proportion
rollback     back to a revision that an annotation names
status       the counts and conditions that it reports
plan         all of that, put together

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from controllers.deployment.controller import build

__all__ = ["build"]
