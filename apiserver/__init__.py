"""The apiserver: two front doors over one write path, the only component that knows etcd."""
