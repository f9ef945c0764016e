"""What the machine below the nodes has and does: its engine, kernel, network, mounts and locks."""
