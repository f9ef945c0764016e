"""`scripts/plots`: draw docs/scheduler-cost.svg of what `python -m benchmarks scheduler_growth` found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results" / "scheduler_growth.json"
PICTURE: Final = Path(__file__).parents[1] / "docs" / "scheduler-cost.svg"
TEXT: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kubarium",
    "font.family": "sans-serif",
    "font.size": 11,
}
# Wong's colours, which those who do not see all colours tell apart, too; each with a mark of its own.
COLOURS: Final = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#7F7F7F",
    "#8C564B",
)
MARKS: Final = "os^vD<>pX"


def main() -> None:
    """Write the picture.

    Raises:
        FileNotFoundError: the benchmark has not run here.
    """
    import matplotlib as mpl  # which is there for `scripts/plots` only
    from matplotlib import pyplot as plt

    mpl.use("svg")
    mpl.rcParams.update(TEXT)
    figures: dict[str, Any] = json.loads(RESULTS.read_text())["figures"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.6), sharey=True)
    looks = dict(zip(figures["us_by_nodes"], zip(COLOURS, MARKS, strict=True), strict=False))
    _draw(left, figures["us_by_nodes"], looks, "nodes, with 2 pods of the kind for each")
    _draw(right, figures["us_by_pods"], looks, "pods on 5,000 nodes")
    left.set_ylabel("microseconds of CPU a decision, of one core")
    left.set_xscale("log")
    left.set_xticks([100, 500, 1_000, 2_000, 5_000])
    left.xaxis.set_major_formatter("{x:,.0f}")
    left.xaxis.set_minor_formatter("")
    right.xaxis.set_major_formatter("{x:,.0f}")
    left.set_ylim(bottom=0)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    figure.savefig(PICTURE, format="svg", metadata={"Date": None, "Creator": None})


def _draw(axes: Any, kinds: dict[str, dict[str, float]], looks: dict[str, tuple[str, str]], x: str) -> None:
    for name, costs in kinds.items():
        colour, mark = looks[name]
        places, heights = [*map(int, costs)], [*costs.values()]
        axes.plot(places, heights, color=colour, marker=mark, label=name.replace("_", " "))
    axes.set_xlabel(x)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
