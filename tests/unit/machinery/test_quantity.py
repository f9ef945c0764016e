from fractions import Fraction

import pytest

from machinery.model.quantity import canonical, cpu_millicores, memory_bytes, parse


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500m", Fraction(1, 2)),
        ("1.5Gi", Fraction(1610612736)),
        ("2e3", Fraction(2000)),
        (".5", Fraction(1, 2)),
        ("-1k", Fraction(-1000)),
    ],
)
def test_a_quantity_is_its_exact_amount(text, amount):
    """Suffixes of all three families are read exactly."""
    assert parse(text) == amount


def test_what_is_finer_than_a_billionth_is_rounded_up():
    """Who asks for some gets some."""
    assert parse("0.1n") == Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("0.5", "500m"),
        ("1500", "1500"),
        ("100000k", "100M"),
        ("2e6", "2e6"),
        ("0Ki", "0"),
    ],
)
def test_the_canonical_form_takes_the_largest_suffix_without_a_fraction(text, form):
    """The family that a quantity was written in is kept."""
    assert canonical(text) == form


@pytest.mark.parametrize("text", ["", "lots", "1 Gi", "1GiB", "--1", "1e9999", "1" * 600, "0x10"])
def test_no_quantity_is_refused(text):
    """Bad text gets a ValueError with the rule."""
    with pytest.raises(ValueError, match=r"quantit|exponent"):
        parse(text)


def test_amounts_of_resources_are_rounded_up():
    """A tenth of a millicore is one, half a byte is one."""
    assert cpu_millicores("100u") == 1
    assert memory_bytes("500m") == 1
