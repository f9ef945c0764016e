"""What every process has around its component, in the order of its life.

config      one frozen dataclass, read from the command line
run         the process: signals, one TaskGroup, drain, exit code; `Process` is what a component is handed
clock       the one module that reads the system's clock
logging     events as logfmt lines, those of libraries included
metrics     numbers in Prometheus' text format
health      /healthz, /readyz, /metrics on a unix socket
server, tls gRPC servers, and who calls them
seam_server, faults, recorder, control   the server's side of the seam, what stands there, and its control socket
file_watch  files that change, told by the kernel
trees       folders that others have filled, of any depth
asked       a program that answers one question instead
"""
