"""The controllers: from what the API says should be to what the API says is, one plan at a time."""
