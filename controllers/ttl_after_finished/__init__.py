"""The TTL-after-finished controller: delete Jobs some time after they have ended.

controller  what it watches and looks at
plan        whether the time is over

https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
"""

from controllers.ttl_after_finished.controller import build

__all__ = ["build"]
