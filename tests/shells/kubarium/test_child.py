"""A component in the moment in which it is forked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# A supervisor whose child gets a signal before it has done anything of its own.
SCRIPT = """
import os, signal, socket, sys
from pathlib import Path
from kubarium.core.components import Component
from kubarium.supervisor import child

wake, woken = socket.socketpair()
for end in (wake, woken):
    end.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
settle = child._settle

def late(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    settle(*arguments)

child._settle = late
part = Component("part", "sleep", {}, external=True, words=("1",))
pid = child.launch(part, cluster="c", log=Path(sys.argv[1]), inherited=[])
_, status = os.waitpid(pid, 0)
try:
    heard = woken.recv(100)
except BlockingIOError:
    heard = b""
os.kill(os.getpid(), signal.SIGTERM)
print(os.waitstatus_to_exitcode(status), len(heard), len(woken.recv(100)))
"""


def test_a_component_that_is_told_to_end_before_it_has_settled_ends(tmp_path: Path):
    """And its supervisor, whose handlers and descriptors it still has then, does not take the word for its own."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["-15", "0", "1"], "")


SAYING = """
import os
from kubarium.core.components import Component
from kubarium.supervisor import child

part = Component("part", "echo", {}, external=True, words=("said",))
os.waitpid(child.launch(part, cluster="c", log=None, inherited=[]), 0)
"""


def test_a_component_without_a_log_speaks_where_its_supervisor_does():
    """As the parts of a compose service's node, so that `compose logs` has them."""
    command = [sys.executable, "-c", SAYING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("said\n", "")
