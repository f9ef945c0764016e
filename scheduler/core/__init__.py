"""Decisions of the scheduler, without I/O."""
