"""How objects are printed: what a table is, and one file for each family of kinds. Which is whose, the rules say."""

from __future__ import annotations

from apiserver.core.table.table import Cells, Column, Moment, Table

__all__ = ["Cells", "Column", "Moment", "Table"]
