"""What the hollow runtime decides, without I/O and without a clock.

- `behaviour`: how a simulated container behaves, as its pod's annotations say;
- `lifetime`: the state that follows from what happened to it, and the time;
- `addresses`: the next free address of a pod range.
"""
