import re

import pytest

from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.selector_text import parse_fields, parse_labels
from machinery.model.selectors import from_selector


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("", {}, True),
        ("app=web", {"app": "web"}, True),
        ("app==web", {"app": "db"}, False),
        ("app!=web", {}, True),
        ("app in (web,db)", {"app": "db"}, True),
        ("app notin (web)", {"app": "web"}, False),
        ("app", {"app": ""}, True),
        ("!app", {"app": "x"}, False),
        ("cores>3", {"cores": "4"}, True),
        ("cores<3", {"cores": "many"}, False),
        ("app=web,tier!=back", {"app": "web", "tier": "front"}, True),
    ],
)
def test_label_selectors_select_as_documented(text, labels, selected):
    """Equality, sets, existence and comparison; all have to hold."""
    assert parse_labels(text).matches(labels) is selected


REQUIREMENT = "unable to parse requirement: "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a in", f"{REQUIREMENT}found '' expected: '('"),
        ("a in (", f"{REQUIREMENT}found '', expected: ',', ')' or identifier"),
        ("a in (x", f"{REQUIREMENT}found '', expected: ',' or ')'"),
        ("a in (x y)", f"{REQUIREMENT}found 'y', expected: ',' or ')'"),
        ("a in (x,=)", f"{REQUIREMENT}found '=', expected: ',', or identifier"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a b", f"{REQUIREMENT}found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=(", f"{REQUIREMENT}found '(', expected: identifier"),
        ("!", f"{REQUIREMENT}found '', expected: identifier"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        (
            "a>x",
            f"{REQUIREMENT}values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        (
            "a=-",
            (
                f'{REQUIREMENT}values[0][a]: Invalid value: "-": a valid label must be an empty string or consist of'
                " alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g."
                " 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ),
        ),
        (
            "-=1",
            (
                f"{REQUIREMENT}<nil>: Invalid value: \"-\": name part must consist of alphanumeric characters, '-',"
                " '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or"
                " '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ),
    ],
)
def test_bad_label_selectors_are_told_why(text, told):
    """In Kubernetes' words, which say where the reading stopped."""
    with pytest.raises(ValueError, match=rf"^{re.escape(told)}$"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a in ()", ("",)),
        ("a in (,)", ("",)),
        ("a in (b,,c,b)", ("", "b", "c")),
        ("a in (in,notin)", ("in", "notin")),
    ],
)
def test_values_are_a_set(text, values):
    """Each stands once; nothing between two commas is the empty value; words of the grammar are values there."""
    assert parse_labels(text).requirements[0].values == values


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spec.nodeName", "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'"),
        ("b=1,a", "invalid selector: 'b=1,a'; can't understand 'a'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_bad_field_selectors_are_told_why(text, told):
    """In Kubernetes' words."""
    with pytest.raises(ValueError, match=rf"^{re.escape(told)}$"):
        parse_fields(text)


def test_values_of_field_selectors_may_be_escaped():
    r"""`\,`, `\=` and `\\` stand for themselves."""
    assert parse_fields(r"a=x\,y\=z\\,b!=2,").requirements == (("a", True, "x,y=z\\"), ("b", False, "2"))


def test_none_selects_nothing_and_an_empty_selector_everything():
    """The convention of metav1.LabelSelector."""
    assert not from_selector(None).matches({"a": "b"})
    assert from_selector(LabelSelector()).matches({})


def test_expressions_and_labels_have_to_hold_together():
    """MatchLabels and matchExpressions are joined."""
    requirement = LabelSelectorRequirement(key="tier", operator="In", values=["front"])
    matcher = from_selector(LabelSelector(matchLabels={"app": "web"}, matchExpressions=[requirement]))
    assert matcher.matches({"app": "web", "tier": "front"})
    assert not matcher.matches({"app": "web", "tier": "back"})


def test_field_selectors_compare_whole_values():
    """Equal or not equal, joined by commas."""
    matcher = parse_fields("spec.nodeName=node-1,status.phase!=Failed")
    assert matcher.matches({"spec.nodeName": "node-1", "status.phase": "Running"})
    assert not matcher.matches({"spec.nodeName": "node-1", "status.phase": "Failed"})
