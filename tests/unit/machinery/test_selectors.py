import pytest

from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.selectors import from_selector, parse_fields, parse_labels


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


@pytest.mark.parametrize("text", ["a in", "a in (", "=b", "a=b,", "a b", "!", "a in (x", "Bad Key=1", "a>x"])
def test_bad_label_selectors_are_told_why(text):
    """A ValueError that says where the reading stopped."""
    with pytest.raises(ValueError, match=r".+"):
        parse_labels(text)


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
