"""What `kubarium recommend` has seen, in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubarium import recommendations
from kubarium.core.recommending import Notes, Seen
from kubarium.errors import KubariumError


def test_notes_are_written_down_and_read_again(tmp_path: Path):
    """What goes on from a file is what would have been without."""
    found = Seen()
    for number in range(9):
        found.sample("pod", number * 60.0, 0.2, 1e8, 0.1)
    notes = Notes({("default", "Deployment", "web", "main"): found}, {("default", "Deployment", "web"): 1})
    path = str(tmp_path / "notes")
    assert recommendations.read_state(path) == Notes()
    recommendations.write_state(path, notes)
    again = recommendations.read_state(path)
    assert again == notes
    assert list(again.recommendations()) == list(notes.recommendations())
    for text in ("nonsense", "{}", '{"version": 2}', '{"version": 1, "containers": [], "seen": [{}]}'):
        Path(path).write_text(text)
        with pytest.raises(KubariumError, match="cannot be read"):
            recommendations.read_state(path)
