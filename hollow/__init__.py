"""The hollow runtime: CRI v1 as published, with containers that are simulated."""
