"""The process that starts a cluster's components, brings back those that die, and answers the handle.

It is single-threaded and synchronous on purpose: it imports what components need, freezes the garbage
collector and forks, so that they start at once and share their memory. A fork is only safe where no thread
exists. In the order of use:

- `__main__`: started by the handle; the order that makes a cluster answer soonest;
- `protocol`: how the handle speaks with it;
- `daemon`: the loop over its sockets; `clients`: who asks at them; `operations`: what it can be asked;
- `processes`: the table of processes; `child`: from a description to a process; `loading`: what is imported before;
- `node_machine`: a node as a machine, over `machines`, its cgroup; `reaper`: what kills a compose machine's pods.
"""
