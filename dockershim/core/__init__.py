"""What dockershim decides, without I/O and without a clock.

- `naming`: names and labels, by which to create twice is to find what is there;
- `states`: the engine's view of a container as the CRI's; `times`: its timestamps;
- `host_config` and `security`: how a CRI configuration becomes the engine's; `images`: names and descriptions of them;
- `cni`: configurations for the plugins, and their answers; `cgroup_files`: what the kernel's files say;
- `log_lines`: the engine's log stream as lines of the CRI; `pause_program`: the program that sandboxes run.
"""
