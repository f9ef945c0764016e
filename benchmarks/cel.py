"""Our CEL beside the libraries that are installed: what they get right, and what it costs.

    python -m benchmarks.cel [--only NAME]

Each runs in a process of its own, over the tables of `tests/support/cel_expressions.py`. The libraries are no dependencies
of the project: install those that are to be compared (`cel-python`, `cel-expr-python`, `common-expression-language`).
docs/adr/0037-own-cel.md has a run's figures.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

Run: TypeAlias = Callable[[Mapping[str, Any]], Any]
Compile: TypeAlias = Callable[[str, Mapping[str, Any]], Run]

ROUNDS = 2000
EXPRESSIONS = (
    "self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas",
    "self.widgets.exists(w, w.key == 'x' && w.foo < 10)",
    "self.metadata.name.startsWith(self.prefix)",
)
EXPLODING = "l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, a + b + c + d + e >= 0)))))"
EXPLODES_S = 20


def ours() -> Compile:
    """Return our own."""
    from machinery.cel import DYN, Environment, compile_expression
    from machinery.cel.library.authorizers import AUTHORIZER

    def compile_one(text: str, variables: Mapping[str, Any]) -> Run:
        types = {name: AUTHORIZER if name == "authorizer" else DYN for name in variables}
        return compile_expression(text, Environment(types))

    return compile_one


def cel_python() -> Compile:
    """Return cel-python (Lark's parser, an interpreter in Python)."""
    import celpy

    environment = celpy.Environment()

    def compile_one(text: str, _: Mapping[str, Any]) -> Run:
        program = environment.program(environment.compile(text))
        return lambda variables: program.evaluate({k: celpy.json_to_cel(v) for k, v in variables.items()})

    return compile_one


def cel_expr_python() -> Compile:
    """Return cel-expr-python (Google's C++)."""
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings()]

    def compile_one(text: str, variables: Mapping[str, Any]) -> Run:
        types = dict.fromkeys(variables, cel.Type.DYN)
        program = cel.NewEnv(variables=types, extensions=extensions).compile(text)

        def run(data: Mapping[str, Any]) -> Any:
            value = program.eval(data=dict(data))
            if value.type() == cel.Type.ERROR:
                raise ValueError(value.value())
            return value.plain_value()

        return run

    return compile_one


def common_expression_language() -> Compile:
    """Return common-expression-language (Rust)."""
    import cel

    def compile_one(text: str, _: Mapping[str, Any]) -> Run:
        program = cel.compile(text)
        return lambda variables: program.execute(dict(variables))

    return compile_one


LIBRARIES: dict[str, tuple[str, Callable[[], Compile]]] = {
    "machinery.cel": ("machinery", ours),
    "cel-python": ("celpy", cel_python),
    "cel-expr-python": ("cel_expr_python", cel_expr_python),
    "common-expression-language": ("cel", common_expression_language),
}


def outcome(compile_one: Compile, text: str, variables: Mapping[str, Any]) -> tuple[str, Any]:
    """Return "value", "error" or "refused" with what goes with it."""
    try:
        run = compile_one(text, variables)
    except BaseException as why:  # noqa: BLE001 - a Rust panic is none of Exception
        return "refused", str(why)
    try:
        return "value", run(variables)
    except BaseException as why:  # noqa: BLE001
        return "error", str(why)


def is_same(got: Any, expected: Any) -> bool:
    """Whether a library's value is the expected one, whatever classes of its own it has for numbers."""
    try:
        if isinstance(expected, bool):
            return type(got).__name__ in {"bool", "BoolType"} and bool(got) is expected
        if isinstance(expected, int):
            return int(got) == int(expected) and not isinstance(got, (bool, float))
        return bool(got == expected)
    except (TypeError, ValueError):
        return False


def is_right(case: Any, compile_one: Compile) -> tuple[bool, bool]:
    """Whether a case has the right outcome, and whether its message has Kubernetes' words, too."""
    from tests.support.cel_expressions import Error, Refused

    kind, what = outcome(compile_one, case.expression, case.variables)
    if isinstance(case.expected, (Error, Refused)):
        right = kind == ("error" if isinstance(case.expected, Error) else "refused")
        return right, right and case.expected.words in what
    same = kind == "value" and is_same(what, case.expected)
    return same, same


def resident_kib() -> int:
    """Return the largest memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def cpu_us(call: Callable[[], object], rounds: int) -> float:
    """Return the CPU of a call in microseconds."""
    began = time.process_time()
    for _ in range(rounds):
        call()
    return (time.process_time() - began) / rounds * 1e6


def measure(name: str) -> dict[str, Any]:
    """Return what a library gets right and costs."""
    before = resident_kib()
    compile_one = LIBRARIES[name][1]()
    compile_one("x.matches('a')", {"x": 1})
    loaded = resident_kib()
    from tests.support import cel_expressions as tables

    groups = "LANGUAGE RULES ADMISSION STRINGS LISTS REGEX URLS QUANTITIES NETWORKS VERSIONS FORMATS OPTIONALS TWO_VARIABLES"
    right = {}
    for group in groups.split():
        found = [is_right(case, compile_one) for case in getattr(tables, group)]
        right[group] = (sum(one for one, _ in found), sum(both for _, both in found), len(found))
    variables = tables.RULES[0].variables
    programs = [compile_one(text, variables) for text in EXPRESSIONS]
    return {
        "import_kib": loaded - before,
        "right": right,
        "compile_us": [round(cpu_us(lambda t=text: compile_one(t, variables), 100)) for text in EXPRESSIONS],
        "evaluate_us": [round(cpu_us(lambda p=run: p(variables), ROUNDS), 1) for run in programs],
    }


def explode(name: str) -> str:
    """Return how an expression that explodes ended."""
    run = LIBRARIES[name][1]()(EXPLODING, {"l": []})
    began = time.process_time()
    try:
        run({"l": list(range(60))})
    except BaseException as why:  # noqa: BLE001
        return f"{time.process_time() - began:.2f} s: {why}"
    return "a value"


def in_process(work: Callable[[str], Any], name: str) -> Any:
    """Return what a function returns in a process of its own; None if it has not ended in time."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            return pool.apply_async(work, (name,)).get(EXPLODES_S if work is explode else 300)
        except multiprocessing.TimeoutError:
            return None


def main() -> None:
    """Print a line of JSON for each library that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=LIBRARIES)
    for name, (module, _) in LIBRARIES.items():
        if find_spec(module) is not None and parser.parse_args().only in {None, name}:
            found = in_process(measure, name)
            found["explodes"] = in_process(explode, name)
            print(json.dumps({name: found}))


if __name__ == "__main__":
    main()
