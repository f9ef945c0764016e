"""How objects are printed: what `kubectl get` shows. Which table is whose, the rules of the kinds say.

table    what a table is: columns, and how an object becomes a row
ages     how long ago something was, as users know it
pods, nodes, workloads, batch, autoscaling, policy, network, storage, configuration, events, rbac
         the tables, by family of kinds
"""

from __future__ import annotations

from apiserver.core.table.table import Cells, Column, Moment, Table

__all__ = ["Cells", "Column", "Moment", "Table"]
