"""How much evaluations may cost."""

from __future__ import annotations

from typing import Final

from machinery.cel.errors import BudgetExceededError

PER_CALL: Final = 1_000_000  # of one evaluation, as in Kubernetes
PER_OBJECT: Final = 10_000_000  # of all rules for one object, as in Kubernetes
ESTIMATED_PER_RULE: Final = 10_000_000  # what a rule of a CustomResourceDefinition may be estimated at
ESTIMATED_PER_DEFINITION: Final = 100_000_000  # and all of a definition's together


class Budget:
    """What is left to be spent. One is handed through all evaluations of a request, each of which spends of it.

    Not for several threads at once: a request's rules are evaluated one after the other.
    """

    __slots__ = ("left",)

    def __init__(self, limit: int = PER_OBJECT) -> None:
        self.left = limit

    def spend(self, amount: int) -> None:
        """Pay for something.

        Raises:
            BudgetExceededError: so much was not left.
        """
        self.left -= amount
        if self.left < 0:
            raise BudgetExceededError
