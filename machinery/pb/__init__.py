"""Generated from `proto/` by `tools/gen_pb.py`: the messages of our conversations, of etcd and of the CRI."""
