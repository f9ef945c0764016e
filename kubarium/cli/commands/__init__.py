"""The commands: each takes the parsed arguments and returns an exit code.

What cannot be done ends with a KubariumError, whose words are for the user. In the order of `kubarium --help`:

- `clusters`: up, down, start; use, ls, kubeconfig;
- `components`: ps, logs, kill, stop, pause, cut, resume, restart;
- `nodes`: node add, rm, ls; load; token, join, leave;
- `questions`: recommend, explain, tunnel; `net`, `simulate`: what they are called;
- `completing`: completion, and what the shells' scripts ask.
"""
