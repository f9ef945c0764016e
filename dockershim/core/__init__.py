"""What dockershim decides: names, engine requests, states, log lines. No I/O."""
