"""A pod's spec, alone or in a template: its defaults, its rules, what may change, what is not built."""
