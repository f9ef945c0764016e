"""Kubernetes' libraries of functions: a module each, with its FUNCTIONS and the types that it brings.

https://kubernetes.io/docs/reference/using-api/cel/ says what they do, and in which version they came.
"""
