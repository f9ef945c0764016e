"""What the supervisor imports before it starts etcd, and in which order."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
import kubarium.supervisor.__main__
before = set(sys.modules)
from kubarium.supervisor.loading import import_shared
import_shared()
print(sorted(before & {"cryptography", "machinery.rpc.channel", "yaml", "asyncio"}))
print("grpc" in sys.modules, "machinery.rpc.channel" in sys.modules)
"""

PREPARED = """
from kubarium.supervisor.loading import _import_program
_import_program("controllers")
from machinery.model import fields
from machinery.wire import objects
before = fields._compiled.cache_info().misses, len(objects._decoders)
from controllers import app
app.prepare()
print(before[0] > 20, before == (fields._compiled.cache_info().misses, len(objects._decoders)))
"""


def test_what_controllers_read_objects_with_is_made_before_they_are_forked():
    """It is there when the program is, and nothing is left to be made: the processes share it."""
    done = subprocess.run([sys.executable, "-c", PREPARED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True True"]


def test_the_supervisor_reaches_its_work_without_large_libraries():
    """Etcd starts before the certificates' library, YAML and what speaks gRPC are imported; gRPC's own library never is."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "False True"]


def test_the_handle_is_found_by_its_names():
    """`from kubarium import Cluster` works although it is imported when it is asked for."""
    import kubarium

    assert {kubarium.Cluster.__name__, kubarium.KubariumError.__name__} == {"Cluster", "KubariumError"}
