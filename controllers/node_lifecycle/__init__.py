"""The node lifecycle controller: silence becomes Unknown, conditions become taints, pods there stop being Ready.

controller  what it watches, remembers and looks at
heartbeats  when each node last gave a sign of life, by our own clock
zones       how much of each zone is down, and whose turn it is to be evicted
taints      which taints a node has by its conditions
plan        what follows for one node

Who is evicted when is `taint_eviction`'s business.
https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller

Differs: The beta labels of system and architecture are not kept.
"""

from controllers.node_lifecycle.controller import build

__all__ = ["build"]
