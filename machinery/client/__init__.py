"""What a component needs to live off an apiserver, in the order of use.

api                 the methods, spelled once; `fenced` is the same for writes of whatever leads,
                    `limited` for so many requests at once
transport           the narrow way that carries them: grpc_transport, rest_transport (rest_paths, http_client), failover
                    (servers)
tls                 files in, credentials out; in_cluster says which files a pod has, and where its apiserver is
seam_transport, seam_channel, seam_stream   where the seam stands in these ways
reflector, informer a collection's copy that follows the server: list once, then watch
workqueue, controller   keys that changed, each at one worker, failures tried again later
leader, lease_watch who of several may act, and the fence that its writes carry
events              what users are told with `kubectl get events`
waiting             for an event, or for time to pass
"""
