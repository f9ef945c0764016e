"""What the supervisor imports before it starts etcd, and in which order."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
import kubarium.supervisor.__main__
before = set(sys.modules)
from kubarium.supervisor.loading import import_shared
order = []
class Spy:
    def find_spec(self, name, path=None, target=None):
        order.append(name)
sys.meta_path.insert(0, Spy())
import_shared()
print(sorted(before & {"cryptography", "grpc", "yaml", "asyncio"}))
print("machinery" in before or order.index("machinery") < order.index("grpc"))
"""


def test_the_supervisor_reaches_its_work_without_large_libraries():
    """Etcd starts before the certificates' library, YAML and gRPC are imported; machinery comes before gRPC.

    machinery tells gRPC, by an environment variable that is read at its import, how forks are done here.
    """
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True"]


def test_the_handle_is_found_by_its_names():
    """`from kubarium import Cluster` works although it is imported when it is asked for."""
    import kubarium

    assert {kubarium.Cluster.__name__, kubarium.KubariumError.__name__} == {"Cluster", "KubariumError"}
