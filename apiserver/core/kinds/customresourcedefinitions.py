"""CustomResourceDefinitions: the kind whose objects are kinds. Their rules are in `apiserver.core.custom`."""

from __future__ import annotations

from typing import Final

from apiserver.core.custom.definitions import definition_kind_rules
from apiserver.core.custom.language import check_rules
from apiserver.core.rules import Rules

RULES: Final[Rules] = definition_kind_rules(check_rules=check_rules)
