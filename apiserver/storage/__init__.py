"""Where objects live: etcd, or this process' memory in tests. The only package that knows etcd."""
