"""A process of a node that takes more memory than it may: it ends and is started again, beside it all goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio
from machinery.process.config import ComponentConfig
from machinery.process.run import run

async def serve(config, process):
    process.ready()
    kept = []
    while config.name == "greedy" and len(kept) < 64:  # half a GiB at most, where nothing bounds it
        kept.append(bytearray(8 << 20))
    await asyncio.get_running_loop().create_future()

def main(arguments):
    return run("program", ComponentConfig, serve, arguments)
"""
SUPERVISOR = """
import json, sys
from pathlib import Path
from kubarium.core.components import Component
from kubarium.core.layout import Layout
from kubarium.supervisor.daemon import Daemon

sys.path.insert(0, sys.argv[1])
folder = Path(sys.argv[1])
daemon = Daemon("t", Layout(folder / "home", folder / "run"))
daemon.processes.loaded.add("program")
for name in ("greedy", "modest"):
    flags = {"name": name, "memory-limit": "256Mi"}
    daemon.processes.add([Component(name, "program", flags)])
table = daemon.processes.table
while table["greedy"].restarts < 2 or table["modest"].phase.value != "ready":
    daemon.processes.start_due()
    daemon.step(0.05)
print(json.dumps({name: [each.restarts, each.last_exit] for name, each in table.items()}), flush=True)
for each in table.values():
    if each.pid:
        import os, signal
        os.kill(each.pid, signal.SIGKILL)
        os.waitpid(each.pid, 0)
"""


def test_a_process_that_takes_too_much_is_started_again_and_the_others_go_on(tmp_path: Path):
    """It ends with an error that names the bound; nobody else notices."""
    package = tmp_path / "program"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("__main__.py").write_text(PROGRAM)
    (tmp_path / "home").mkdir()
    arguments = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    found = subprocess.run(arguments, capture_output=True, text=True, timeout=250, check=True)
    assert json.loads(found.stdout) == {"greedy": [2, "exited with code 1"], "modest": [0, ""]}
    log = (tmp_path / "home" / "logs" / "greedy.log").read_text()
    assert "MemoryError" in log
    assert "memory_limit=256Mi" in log


def test_no_bound_is_raised(tmp_path: Path):
    """What somebody has set lower before stays."""
    script = """
import resource
from machinery.process.memory import limit_memory
limit_memory("")
assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
limit_memory("512Mi")
limit_memory("1Gi")
print(resource.getrlimit(resource.RLIMIT_DATA))
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=250, check=True
    )
    assert found.stdout.strip() == f"({2**29}, {2**29})"
