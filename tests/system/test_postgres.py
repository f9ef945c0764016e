"""PostgreSQL on a claim of the default class, under pgbench: its rollouts lose no transaction that was acknowledged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.debian_images import POSTGRES, build_debian_image
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "postgres.yaml"
CLIENTS = 4
# pgbench logs each transaction when its commit is acknowledged. A run ends where it loses its connections; the next
# one makes new ones.
LOAD = f"""
export PGHOST=$POSTGRES_SERVICE_HOST PGUSER=postgres PGCONNECT_TIMEOUT=2
until pgbench --initialize --quiet; do sleep 0.2; done
while [ ! -e /tmp/enough ]; do
  pgbench --no-vacuum --client={CLIENTS} --time=1 --log --log-prefix=/tmp/log || {{ echo >>/tmp/broken; sleep 0.2; }}
done
touch /tmp/ended
sleep 3600
"""


@pytest.fixture
def database(images: None, kubectl: Kubectl) -> Kubectl:
    """The example, and a pod with the load."""
    need("docker", "apt")
    build_debian_image(POSTGRES)
    kubectl("apply", "-f", str(MANIFEST))
    kubectl.apply(load())
    kubectl("rollout", "status", "statefulset/postgres", "--timeout=180s", timeout_s=200)
    kubectl("wait", "pod/load", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    return kubectl


def load() -> dict[str, Any]:
    """Return a pod of pgbench, one run after the other."""
    box = {"name": "main", "image": POSTGRES.name, "command": ["sh", "-c", LOAD]}
    spec = {"containers": [box], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load"}, "spec": spec}


def counted(kubectl: Kubectl, pattern: str) -> int:
    """Return how many lines the load has in its files of a pattern."""
    script = f"cat /tmp/{pattern} 2>/dev/null | wc -l"
    return int(kubectl("exec", "load", "--", "sh", "-c", script))


def asked(kubectl: Kubectl, query: str) -> list[int]:
    """Return the one row of numbers that the database answers with."""
    psql = ["psql", "--username=postgres", "--tuples-only", "--no-align", "--command", query]
    return [int(number) for number in kubectl("exec", "postgres-0", "--", *psql).split("|")]


def await_more(kubectl: Kubectl) -> None:
    """Wait until transactions are acknowledged that begin after now."""
    enough = counted(kubectl, "log.*") + 200
    eventually(lambda: counted(kubectl, "log.*") > enough, what="200 further transactions")


def test_a_rolling_restart_loses_no_transaction(database: Kubectl):
    """Restarted twice under load, the database has what its clients saw committed, and no more than they do not know of."""
    await_more(database)
    identities = {database.get("pod", "postgres-0")["metadata"]["uid"]}
    for _ in range(2):
        database("rollout", "restart", "statefulset/postgres")
        database("rollout", "status", "statefulset/postgres", "--timeout=180s", timeout_s=200)
        identities.add(database.get("pod", "postgres-0")["metadata"]["uid"])
        await_more(database)
        assert "database system was shut down" in database(
            "logs", "postgres-0"
        )  # and did not have to recover
    assert len(identities) == 3
    database(
        "exec", "load", "--", "sh", "-c", "touch /tmp/enough; until [ -e /tmp/ended ]; do sleep 0.1; done"
    )
    acknowledged, broken = counted(database, "log.*"), counted(database, "broken")
    [there] = asked(database, "select count(*) from pgbench_history")
    assert broken > 0
    assert acknowledged <= there <= acknowledged + broken * CLIENTS
    tables = (
        "abalance) from pgbench_accounts",
        "tbalance) from pgbench_tellers",
        "bbalance) from pgbench_branches",
    )
    sums = ", ".join(f"(select sum({each})" for each in ("delta) from pgbench_history", *tables))
    assert len(set(asked(database, f"select {sums}"))) == 1
