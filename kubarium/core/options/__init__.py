"""What the user can ask of `up`, each option described once: for the command line, the cluster file and Python.

In the order of use:

- `option`: what is to be known of an option besides its name and type;
- `up_options`: all of them, by subject, as the keywords of `Cluster.up`;
- `options`: what was asked of one cluster, from any of the three, and the spec that it comes to
  (`kubarium.core.spec.checked` refuses what cannot be);
- `differences`: what a cluster that exists does not have of it.
"""
