"""Describe a cluster with one worker, as Dask does it for its users. The arguments are its name and its image."""

from __future__ import annotations

import json
import sys

from dask_kubernetes.operator import make_cluster_spec

NAME, IMAGE = sys.argv[1:]
ENVIRONMENT = {
    # As Kubernetes gives it to every container; the operator's own words for it are a name that only DNS knows.
    "DASK_SCHEDULER_ADDRESS": f"tcp://$({NAME.upper()}_SCHEDULER_SERVICE_HOST):8786",
    # What the operator asks of the scheduler over HTTP is not served unless it is named here.
    "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": json.dumps(
        ["distributed.http.scheduler.api", "distributed.http.health"]
    ),
}

described = make_cluster_spec(
    NAME,
    image=IMAGE,
    n_workers=1,
    env=ENVIRONMENT,
    resources={},
    worker_command="dask-worker --no-nanny --nthreads=1",
)
for pod in (described["spec"]["scheduler"]["spec"], described["spec"]["worker"]["spec"]):
    pod["terminationGracePeriodSeconds"] = (
        2  # a worker whose scheduler is gone looks for it as long as it may
    )
print(json.dumps(described))
