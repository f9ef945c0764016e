"""The product's own image and the ingress controller's, as `scripts/image` makes them, under tags of this checkout.

Another checkout's tests may make theirs meanwhile, and a user's `kubarium:latest` stays as it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
_TAG: Final = f"checkout-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
IMAGE: Final = f"kubarium:{_TAG}"
INGRESS_IMAGE: Final = f"kubarium-ingress:{_TAG}"
NAMED: Final = {"KUBARIUM_IMAGE": IMAGE}  # the environment of programs that are to use it
_LOCK: Final = ROOT / ".pytest_cache" / "image.lock"


@pytest.fixture(scope="session")
def product_image(images: None) -> str:
    """The image, made of what is in the checkout now; of several runs at once one makes it after the other."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        script = str(ROOT / "scripts" / "image")
        subprocess.run([script], env={**os.environ, **NAMED}, check=True, timeout=400)
    return IMAGE
