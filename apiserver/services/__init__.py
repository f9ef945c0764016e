"""The gRPC front door, for the cluster's own components: proto/machinery/pb/resources.proto.

In the order of use:

resources   one method for each of the proto's: reads the call, has it admitted, calls the registry
frames      the answers as bytes; what several callers get is encoded once

Who asks is in the client certificate. Options are checked by `apiserver.request_checks`, as at the REST door, the gate
and the registry are the same, and errors travel as the same Status. The listener is `machinery.process.server`'s; a
seam between is put there.
"""
