"""The shared library of all components; not a process of its own."""
