"""The shared library of all components; not a process of its own."""

import os

# gRPC reads this when it is imported, and it is imported after us. Its fork handlers close the channels of a
# process that starts a program (nft, a CNI plugin); our forks are followed by an exec, or happen before gRPC starts.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
