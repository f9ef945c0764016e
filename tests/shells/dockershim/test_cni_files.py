"""Which CNI configuration counts, and dockershim's own look at one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dockershim.cni_files import current_conf
from dockershim.core.cni_conf import BUILT_IN, DEFAULT, ConfError, read_conf, variables

KNOWN = variables("10.0.1.0/24", "/data", 1400)


def document(name: str) -> str:
    """Write a document with one plugin."""
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": [{"type": "ptp"}]})


def test_the_first_file_of_the_first_folder_counts(tmp_path: Path):
    """By its name; without any it is the one that is named, or the built-in one. Each look is a new one."""
    own, shared = tmp_path / "own", tmp_path / "shared"
    folders, other = (str(own), str(shared)), tmp_path / "other.json"
    other.write_text(document("other"))
    assert current_conf(folders, "", KNOWN).source == BUILT_IN
    assert current_conf(folders, str(other), KNOWN).name == "other"
    for folder, name in ((shared, "20-b.conflist"), (shared, "10-a.conflist"), (shared, "00-notes.txt")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(document(name.removesuffix(".conflist")))
    assert current_conf(folders, str(other), KNOWN).name == "10-a"
    own.mkdir()
    assert current_conf(folders, str(other), KNOWN).name == "10-a"
    (own / "99-mine.conf").write_text(document("mine"))
    assert current_conf(folders, str(other), KNOWN).name == "mine"
    (own / "98-broken.json").write_bytes(b"\xff")
    with pytest.raises(ConfError, match=r"98-broken\.json: cannot be read: "):
        current_conf(folders, str(other), KNOWN)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [(document("net"), 0, ""), (document("no/net"), 2, 'net.conflist: name: "no/net" has to be letters')],
)
def test_a_configuration_can_be_checked_beforehand(tmp_path: Path, text: str, code: int, said: str):
    """With its file and field."""
    file = tmp_path / "net.conflist"
    file.write_text(text)
    flags = ["--cluster=any", "--node=any", "--socket=/any", "--state-dir=/any", f"--cni-conf={file}"]
    command = [sys.executable, "-m", "dockershim", *flags, "--check-flags"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (code, True)


def test_what_is_documented_is_what_is_there():
    """The built-in configuration, word for word; and the example is one."""
    root = Path(__file__).parents[3]
    assert f"```json\n{DEFAULT}```" in (root / "docs" / "networking.md").read_text()
    example = read_conf((root / "examples" / "ptp.conflist").read_text(), "ptp", KNOWN)
    assert [each["type"] for each in example.plugins] == ["ptp", "portmap", "bandwidth"]
