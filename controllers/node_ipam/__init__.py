"""The range allocator: each node gets a range of pod addresses out of the cluster's.

controller  what it watches and looks at: always all nodes
plan        which ranges are taken, and who gets which of the others
"""

from controllers.node_ipam.controller import build

__all__ = ["build"]
