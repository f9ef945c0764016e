"""How the picture of a simulation looks: large letters, and colours that stay apart for the colour-blind (Okabe and Ito's)."""

from __future__ import annotations

from typing import Final

COLOURS: Final = (
    ("#0072b2", "#ffffff"), ("#e69f00", "#000000"), ("#009e73", "#000000"), ("#cc79a7", "#000000"), ("#56b4e9", "#000000"),
    ("#d55e00", "#000000"), ("#f0e442", "#000000"),
)  # fmt: skip
"""(of the part, of the letters on it); each pair has a contrast of 4.5 or more."""

STYLE: Final = (
    """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #14171a; --soft: #4a5560; --box: #f3f5f7; --line: #8a949e; --old: #c3cad1; --hatch: #9aa4ae; --alarm: #a8200d }
@media (prefers-color-scheme: dark) {
  :root { --paper: #101316; --ink: #f2f4f6; --soft: #b6c0ca; --box: #1c2126; --line: #77828d; --old: #3d464f; --hatch: #5b6671; --alarm: #ff9b8a }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 2rem 4rem; max-width: 120rem; background: var(--paper); color: var(--ink); font: 1.25rem/1.4 system-ui, "Liberation Sans", "DejaVu Sans", sans-serif }
h1 { margin: 0; font-size: clamp(2rem, 5vw, 3rem); line-height: 1.15 }
h2 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere }
h3 { margin: .7rem 0 .2rem; font-size: 1.25rem; font-weight: 400; display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline }
h3 span { color: var(--soft) }
header p { margin: 0; font-size: 1.5rem }
.pods, .rest { margin: 0; color: var(--soft) }
.totals, .legend { list-style: none; margin: 1rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 2.5rem }
.totals b { font-size: 1.5rem }
.legend li { display: flex; align-items: center; gap: .6rem }
.legend .part { width: 2.4rem; height: 1.6rem }
.legend .bar { width: 2.4rem; margin: 0 }
.legend .after { height: 1.6rem }
.legend .before { height: .6rem }
.left { border: .25rem solid var(--alarm); border-radius: .5rem; padding: .8rem 1.2rem 1.2rem; margin: 1rem 0 }
.left h2 { color: var(--alarm) }
.left h3 { font-weight: 700; overflow-wrap: anywhere }
.left p { margin: 0 }
.nodes { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.2rem }
.nodes article { background: var(--box); border: .15rem solid var(--line); border-radius: .5rem; padding: .9rem 1.1rem; display: grid; grid-template-columns: 1fr auto; align-items: baseline }
.nodes article > :not(h2, .pods) { grid-column: 1 / -1 }
.nodes article:focus-visible, summary:focus-visible { outline: .25rem solid var(--ink); outline-offset: .15rem }
.bar { display: flex; width: 100%; overflow: hidden; background: var(--paper); border: .15rem solid var(--line); border-radius: .25rem }
.before { height: .9rem; margin-bottom: .2rem; font-size: 0 }
.after { height: 2.6rem }
.part { flex: none; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; padding: 0 .35rem; line-height: 2.3rem; font-size: 1.25rem; min-width: 1px }
.before .part, .small .part { padding: 0; font-size: 0 }
.legend .part { padding: 0; line-height: 1 }
.old { background: repeating-linear-gradient(135deg, var(--old) 0 .5rem, var(--hatch) .5rem .62rem); color: var(--ink) }
.after .old { text-shadow: 0 0 .25rem var(--paper), 0 0 .25rem var(--paper) }
.new { border: .12rem solid var(--ink); font-weight: 600 }
.who { margin: .6rem 0 0; color: var(--soft); overflow-wrap: anywhere }
.nodes.small { grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); gap: .5rem; font-size: 1rem }
.small article { padding: .3rem .5rem }
.small h2, .small h3 { font-size: 1rem; margin: 0 }
.small h3 { gap: .3rem }
.small .new { border-width: 0 1px 0 0 }
.small h3 span, .small .who { display: none }
.small article:focus .who { display: block }
.small .after { height: 1.1rem; font-size: 0 }
.small .before { height: .4rem }
details { margin-top: 2rem }
summary { cursor: pointer; font-size: 1.4rem }
table { border-collapse: collapse; margin-top: .8rem }
th, td { text-align: left; padding: .25rem 1.5rem .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
@media print { .nodes article { break-inside: avoid } * { print-color-adjust: exact } }
"""
    + "\n".join(
        f".c{number} {{ background: {back}; color: {front} }}" for number, (back, front) in enumerate(COLOURS)
    )
    + "\n"
)
