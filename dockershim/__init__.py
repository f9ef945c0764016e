"""CRI v1 as published, over the Docker Engine API."""
