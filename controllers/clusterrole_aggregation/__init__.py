"""The rules of a ClusterRole with an aggregationRule: all those of the ClusterRoles that its selectors match.

controller  whom a change of a role concerns, what is looked at
plan        the union of the rules, written where it is another one

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from controllers.clusterrole_aggregation.controller import build

__all__ = ["build"]
