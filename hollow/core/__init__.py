"""What a simulated container does, as pure functions of its records and the time."""
