"""What the controllers share. Nothing here, nor in their folders, waits, writes, draws a random number or reads a clock.

controller                     what a controller is
caches, metadata_only, kinds   what it asks to see
indexes, keys                  how it finds pods, and whom a change concerns
moment, nodes, workloads       what its plans read
actions                        what a plan consists of: writes, questions, and when to look again
claims, merge_patch,           how plans are written: adoption, patches, and the end of pods
owned_pods, pod_disruption
replicas                       the plan that ReplicaSets and ReplicationControllers share
expectations                   what was written and is not seen yet
"""
