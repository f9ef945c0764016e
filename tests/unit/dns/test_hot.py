"""Answers as bytes."""

from __future__ import annotations

from dns.core.hot import HotAnswers


def test_answers_are_told_with_the_number_of_whoever_asks():
    """And take turns, where there are several orders."""
    hot = HotAnswers(10)
    hot.put(b"\0\1question", [b"\0\1one", b"\0\1two"], ["a/b"])
    assert hot.get(b"\7\2question") == b"\7\2one"
    assert hot.get(b"\7\3question") == b"\7\3two"
    assert hot.get(b"\7\3another") is None


def test_an_answer_goes_with_any_tag_that_it_depends_on():
    """Others stay."""
    hot = HotAnswers(10)
    hot.put(b"\0\0both", [b"\0\0x"], ["a", "b"])
    hot.put(b"\0\0one", [b"\0\0x"], ["a"])
    hot.put(b"\0\0none", [b"\0\0x"], [])
    hot.drop(["b", "c"])
    assert [hot.get(b"\0\0" + each) is None for each in (b"both", b"one", b"none")] == [True, False, False]
    hot.drop(["a"])
    assert len(hot) == 1


def test_there_is_a_bound():
    """All are forgotten when it is reached."""
    hot = HotAnswers(2)
    for index in range(5):
        hot.put(bytes([0, 0, index]), [b"\0\0x"], ["a"])
    assert len(hot) == 1
