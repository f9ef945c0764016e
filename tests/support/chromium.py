"""A real browser without a window: how it lays a page out, and which scripts run in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

_COMMAND: Final = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
_PATIENCE_S: Final = 60
_MEASURED: Final = (
    "<script>document.body.textContent = 'MEASURED' + JSON.stringify((() => {%s})()) + 'DONE'</script>"
)
_POLICY: Final = '<meta http-equiv="Content-Security-Policy"'


def measure(page: str, program: str, folder: Path, *, width: int = 1920, dark: bool = False) -> Any:
    """Return what a program in JavaScript returns that runs in a page, in a window of a width in pixels.

    The page's own policy is taken out for that, since it may allow no script.
    """
    head, sign, rest = page.partition(_POLICY)
    said = rendered(head + rest.partition(">")[2] if sign else page, program, folder, width=width, dark=dark)
    text = said.partition("MEASURED")[2].partition("DONE")[0]
    return json.loads(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def rendered(page: str, program: str, folder: Path, *, width: int = 1920, dark: bool = False) -> str:
    """Return what becomes of a page to which such a program was added."""
    file = folder / "page.html"
    file.write_text(page.replace("</body>", (_MEASURED % program) + "</body>"), encoding="utf-8")
    flags = [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1080", "--dump-dom"]
    flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [*_COMMAND, *flags, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True).stdout
