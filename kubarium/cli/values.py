"""What an option's text has to be, and what it is read as."""

from __future__ import annotations

import argparse

from kubarium.core.log_lines import read_duration_s


def count(text: str) -> int:
    """Read a whole number, 0 or more.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"has to be a whole number, 0 or more, not {text!r}")
    return number


def duration(text: str) -> float:
    """Read a duration in seconds: 30s, 5m, 1h30m.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    try:
        return read_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def pair(text: str) -> tuple[str, str]:
    """Read KEY=VALUE.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise argparse.ArgumentTypeError(f"has to be KEY=VALUE, not {text!r}")
    return key, value


def parted(separator: str, text: str) -> tuple[str, ...]:
    """Read several values in one text."""
    return tuple(text.split(separator))


def explained(text: str) -> str:
    """Read what is to be explained: pod/NAME or netpol.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    if text != "netpol" and not text.startswith("pod/"):
        raise argparse.ArgumentTypeError(f"has to be pod/NAME or netpol, not {text!r}")
    return text
