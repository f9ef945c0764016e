"""What a user of Dask does with a cluster that runs: connect to it, have it adapt to the work, and see it grow.

Arguments: the cluster's name, and how many workers it may have.
"""

from __future__ import annotations

import sys
import threading

from dask_kubernetes.operator import KubeCluster
from distributed import Client

NAME, MOST = sys.argv[1], int(sys.argv[2])


def square(number: int) -> int:
    threading.Event().wait(0.25)  # as work that takes its time, without taking the machine's
    return number * number


def main() -> None:
    # From outside a cluster its services are reached through port-forwards.
    cluster = KubeCluster.from_name(NAME, port_forward_cluster_ip=True, quiet=True)
    with cluster, Client(cluster) as client:
        before = len(client.scheduler_info(n_workers=-1)["workers"])
        assert before < MOST, before
        assert client.gather(client.map(square, range(4))) == [0, 1, 4, 9]
        cluster.adapt(minimum=1, maximum=MOST)
        work = client.map(square, range(1000, 4000))  # enough for more workers than there may be
        client.wait_for_workers(MOST, timeout=200)
        assert client.submit(square, 12, priority=1).result(timeout=120) == 144
        client.cancel(work)


if __name__ == "__main__":
    main()
