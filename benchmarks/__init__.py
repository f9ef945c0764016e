"""Measurements, each against a named peer in one run. `make bench` runs all; none asserts a time."""
