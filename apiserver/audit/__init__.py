"""The audit log: who did what, and what came of it, at both doors; only where the apiserver is given a policy.

trail      the story of the request that is being served, and the events that are written of it
parts      gate, authenticator and registry that add to the story what they know
rest       the REST door's requests, from their beginning to their end
grpc       the gRPC door's
log_file   events into a file, which is rotated
webhook    events to a server, in batches

made     all of it, as the configuration says

Where there is no policy none of this is imported, and both doors work as if there were no audit log.
"""
