"""What each controller is tried with: a module of its folder's name for each, with its `TRIALS`."""
