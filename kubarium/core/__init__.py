"""What a cluster is made of, decided without I/O: spec, addresses, components, network plan."""
