"""Which texts are addresses of a family, and in which form they reach the rules."""

from __future__ import annotations

import pytest

from proxy.core.families import V4, V6, family_of


@pytest.mark.parametrize(
    ("text", "of_4", "of_6"),
    [
        ("10.0.0.1", "10.0.0.1", ""),
        ("10.0.0.01", "", ""),
        ("fd00::1", "", "fd00::1"),
        ("FD00:0::01", "", "fd00::1"),
        ("::ffff:10.0.0.1", "", ""),
        ("fe80::1%eth0", "", ""),
        ("fd00::1 } ; flush ruleset", "", ""),
        ("", "", ""),
        ("None", "", ""),
    ],
)
def test_an_address_has_one_form(text: str, of_4: str, of_6: str) -> None:
    """Whatever else an object says is no address."""
    assert (V4.read(text), V6.read(text)) == (of_4, of_6)


def test_networks_have_a_family_too() -> None:
    """By their colons."""
    assert (family_of("10.244.0.0/16"), family_of("fd00::/8")) == (V4, V6)
