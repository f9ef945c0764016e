"""The node agent: makes containers be what the pods that are bound to its node say."""
