"""The process that starts a cluster's components, brings back those that die, and answers the handle.

It is single-threaded and synchronous on purpose: it imports what components need, freezes the garbage
collector and forks, so that they start at once and share their memory. A fork is only safe where no thread
and no gRPC channel exists.
"""
