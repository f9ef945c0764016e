"""Properties of CEL: whatever is read, whatever is computed."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from machinery.cel import (
    DYN,
    CelError,
    CompileError,
    Environment,
    EvaluationError,
    compile_expression,
    escape,
    unescape,
)
from machinery.cel.regex import compile_pattern
from tests.support.cel_expressions import UNTYPED
from tests.support.examples import examples

TEXTS = st.lists(
    st.sampled_from(
        sorted({*"()[]{}.,:?!-+*/%<>=&|'\"\\ abx1.5u", "has(", ".all(x, ", "&&", "||", "==", "in", "self"})
    ),
    max_size=30,
).map("".join)
PIECES = st.sampled_from([case.expression for case in UNTYPED])


@given(st.one_of(TEXTS, st.text(max_size=50)))
@examples(100)
def test_any_text_compiles_or_is_refused(text):
    """Nothing else is raised, and a program has a value or an error."""
    try:
        program = compile_expression(text, Environment({"self": DYN, "x": DYN}))
        program({"self": {"a": [1, 2]}, "x": 1})
    except CelError:
        pass


def fault_offsets(text: str) -> list[int]:
    """Return where an expression is at fault; nothing if it compiles."""
    try:
        compile_expression(text, Environment({"self": DYN, "object": DYN}))
    except CompileError as why:
        return [fault.offset for fault in why.faults]
    return []


@given(PIECES, st.integers(0, 60), st.text(alphabet="()[]{}.,?'\"+&|x1 ", max_size=3))
@examples(80)
def test_an_expression_with_something_put_into_it_compiles_or_is_refused(text, at, inserted):
    """The report has the place of each fault inside the text."""
    changed = text[:at] + inserted + text[at:]
    assert all(0 <= offset <= len(changed) for offset in fault_offsets(changed))


NUMBERS = st.integers(-(2**63), 2**63 - 1)


def exact_result(one: int, other: int, sign: str) -> int | None:
    """Return what whole numbers of any size come to; None where there is no result."""
    if sign in "+-*":
        return {"+": one + other, "-": one - other, "*": one * other}[sign]
    if other == 0:
        return None
    quotient = int(Fraction(one, other))
    return quotient if sign == "/" else one - quotient * other


@given(NUMBERS, NUMBERS, st.sampled_from("+-*/%"))
@examples(80)
def test_arithmetic_is_exact_or_an_error(one, other, sign):
    """The result is that of whole numbers rounded towards zero, if it fits into 64 bits."""
    program = compile_expression(f"a {sign} b", Environment({"a": DYN, "b": DYN}))
    exact = exact_result(one, other, sign)
    try:
        got = program({"a": one, "b": other})
    except EvaluationError:
        assert exact is None or not -(2**63) <= exact < 2**63 or (one, other) == (-(2**63), -1)
    else:
        assert got == exact


LOGICAL = st.lists(st.sampled_from(["true", "false", "1 / 0 == 1"]), min_size=2, max_size=5)


@given(LOGICAL, st.sampled_from([" && ", " || "]), st.randoms(use_true_random=False))
@examples(60)
def test_the_order_of_conditions_does_not_matter(operands, operator, random):
    """What decides, decides wherever it stands; an error counts only if nothing does."""
    shuffled = random.sample(operands, len(operands))

    def outcome(parts):
        try:
            return compile_expression(operator.join(parts), Environment())({})
        except EvaluationError:
            return "error"

    deciding = "false" if operator == " && " else "true"
    expected = (
        (deciding == "true")
        if deciding in operands
        else "error"
        if "1 / 0 == 1" in operands
        else deciding != "true"
    )
    assert outcome(operands) == outcome(shuffled) == expected


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-5, 5), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
@examples(60)
def test_equality_is_symmetric_and_of_what_json_says(one, other):
    """A value equals itself; a bool equals no number."""
    program = compile_expression("a == b", Environment({"a": DYN, "b": DYN}))
    assert program({"a": one, "b": one}) is True
    assert program({"a": one, "b": other}) is program({"a": other, "b": one})
    assert program({"a": True, "b": 1}) is False


@given(st.text(alphabet="ab_-./", min_size=1, max_size=10))
@examples(60)
def test_the_name_of_a_property_comes_back(name):
    """What it is escaped to names no other."""
    escaped = escape(name)
    assert escaped is not None
    assert "-" not in escaped
    assert unescape(escaped) == name


@given(st.text(alphabet="ab.*+?()[]{}|\\^$1,", max_size=12), st.text(alphabet="ab", max_size=200))
@examples(60)
def test_a_pattern_is_one_or_is_refused(pattern, text):
    """No pattern raises anything else, whatever it is matched against."""
    assert refusal(pattern, text).startswith(("error parsing regexp: ", "none"))


def refusal(pattern: str, text: str) -> str:
    """Return why a pattern is none; "none" if it is one, after it was matched against a text."""
    try:
        compile_pattern(pattern).search(text)
    except EvaluationError as why:
        return str(why)
    return "none"
