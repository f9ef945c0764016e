"""CEL, the Common Expression Language, as Kubernetes speaks it.

Rules of CustomResourceDefinitions, admission policies and match conditions are written in it. No I/O, no clock.

    environment = Environment({"self": type_from_schema(schema, root=True)})
    program = compile_expression("self.spec.replicas <= 5", environment)   # CompileError: cel-go's words, all faults
    program.cost.high > ESTIMATED_PER_RULE                                           # refused before it is ever evaluated
    program({"self": an_object}, budget)                                   # EvaluationError; BudgetExceededError ends all

In the order of use: `lexer`, `parser` with `macros` (text to `syntax`), `schema` and `types` (what variables are),
`environment` (variables, functions by version: `standard` and `library`), `checker`, `estimate` with `costs`, `compiler`
(closures: `code`, `folds`) with `conversion`, `program` with its `budget`. The language is cel-spec's; docs/adr/0037-own-cel.md says why it is our own code.
"""

from machinery.cel.budget import ESTIMATED_PER_DEFINITION, ESTIMATED_PER_RULE, PER_CALL, PER_OBJECT, Budget
from machinery.cel.environment import KUBERNETES, Environment
from machinery.cel.errors import BudgetExceededError, CelError, CompileError, EvaluationError, Fault
from machinery.cel.overloads import Range
from machinery.cel.program import Program, compile_expression
from machinery.cel.schema import escape, type_from_schema, unescape
from machinery.cel.types import DYN, Field, Kind, Type, list_of, map_of, optional_of
from machinery.cel.values import NONE, Optional

__all__ = [
    "DYN",
    "ESTIMATED_PER_DEFINITION",
    "ESTIMATED_PER_RULE",
    "KUBERNETES",
    "NONE",
    "PER_CALL",
    "PER_OBJECT",
    "Budget",
    "BudgetExceededError",
    "CelError",
    "CompileError",
    "Environment",
    "EvaluationError",
    "Fault",
    "Field",
    "Kind",
    "Optional",
    "Program",
    "Range",
    "Type",
    "compile_expression",
    "escape",
    "list_of",
    "map_of",
    "optional_of",
    "type_from_schema",
    "unescape",
]
