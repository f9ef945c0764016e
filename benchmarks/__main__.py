"""`python -m benchmarks [NAME ...]`: run benchmarks, print figures, write benchmarks/results/*.json."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import time
from pathlib import Path

NAMES = (
    "startup",
    "memory",
    "pods",
    "api",
    "rest_front",
    "rpc",
    "scheduler_decisions",
    "scheduler_preemption",
    "scheduler_growth",
    "scheduler_size",
    "scheduler_end_to_end",
    "proxy",
    "service_path",
    "dns",
    "load",
    "hollownodes",
    "controllers",
)
ANYWHERE = {"api", "controllers"}  # measure any cluster
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(NAMES)}")
    parser.add_argument(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="measure the cluster of this kubeconfig (api and controllers)",
    )
    given = parser.parse_args()
    names = given.names or NAMES
    if given.kubeconfig and not {*names} <= ANYWHERE:
        parser.error(
            "--kubeconfig is for the benchmarks api and controllers; the others start clusters of their own"
        )
    for name in names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; there are: {', '.join(NAMES)}")
    for name in names:
        began = time.monotonic()
        options = {"kubeconfig": given.kubeconfig} if given.kubeconfig else {}
        figures = importlib.import_module(f"benchmarks.{name}").measure(**options)
        record = {
            "benchmark": name,
            "figures": figures,
            "took_s": round(time.monotonic() - began, 1),
            "python": platform.python_version(),
            "kernel": platform.release(),
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
        print(json.dumps(record, indent=2), flush=True)


if __name__ == "__main__":
    main()
