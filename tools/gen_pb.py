"""Generate machinery/pb from proto/. With --check, write nothing and fail where the tree is stale."""

from __future__ import annotations

import filecmp
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
TARGET = Path("machinery/pb")


def generate(out: Path) -> None:
    """Write the message modules and their type stubs for every contract below `out`.

    Raises:
        SystemExit: protoc refuses a contract.
    """
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = str(files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}"]
    if protoc.main([*arguments, *sources]) != 0:
        raise SystemExit("protoc failed")


def stale(fresh: Path) -> list[str]:
    """Return the generated files that the tree lacks or holds in another version."""
    made = sorted(path.name for path in (fresh / TARGET).iterdir())
    return [name for name in made if not same(fresh / TARGET / name, ROOT / TARGET / name)]


def same(left: Path, right: Path) -> bool:
    """Whether both files exist with equal content."""
    return right.exists() and filecmp.cmp(left, right, shallow=False)


def main() -> None:
    """Generate, or check.

    Raises:
        SystemExit: protoc refuses a contract; with --check, what is generated is stale.
    """
    if "--check" not in sys.argv:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        names = stale(Path(folder))
    if names:
        raise SystemExit(f"machinery/pb is stale ({', '.join(names)}): run python tools/gen_pb.py")


if __name__ == "__main__":
    main()
