"""What the user's handle says when something cannot be done."""

from __future__ import annotations


class KubariumError(Exception):
    """It could not be done; the message says what, on which object, and what to do next."""
