"""Further machines: tokens, certificate requests, and nodes that join a cluster elsewhere."""
