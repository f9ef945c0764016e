"""Completion of the command line in bash, zsh and fish, from the parser itself: nothing is written down twice.

A shell's script (`kubarium completion SHELL` prints it) asks `kubarium __complete WORD…` at each TAB, the last word being the
one under the cursor. The answer is a line for each candidate, with its description behind a tab. Names of clusters, components
and nodes are read from the clusters' folders: no supervisor is asked, so that none can keep a shell waiting.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Final

Names = Callable[
    [str, str], list[str]
]  # (what: CLUSTER, COMPONENT or NODE; the cluster's name, or "") → names

_BASH: Final = r"""# kubarium completion for bash: source <(kubarium completion bash)
_kubarium() {
    local line=${COMP_LINE:0:COMP_POINT}
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local last=${words[-1]}
    local kept=${last%"${last##*[@=:]}"} # readline begins a word behind these
    local IFS=$'\n'
    COMPREPLY=($(kubarium __complete "${words[@]:1}" 2>/dev/null | cut -f1))
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}
complete -o default -F _kubarium kubarium
"""
_ZSH: Final = r"""#compdef kubarium
# kubarium completion for zsh: source <(kubarium completion zsh), or in a file _kubarium in a folder of $fpath
_kubarium() {
    local line
    local -a described
    for line in "${(@f)$(kubarium __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] && described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( $#described )); then _describe kubarium described; else _files; fi
}
if [[ $funcstack[1] == _kubarium ]]; then _kubarium "$@"; else compdef _kubarium kubarium; fi
"""
_FISH: Final = r"""# kubarium completion for fish: kubarium completion fish | source
function __kubarium_complete
    set -l words (commandline -opc) (commandline -ct)
    kubarium __complete $words[2..-1] 2>/dev/null
end
complete -c kubarium -f -a '(__kubarium_complete)'
complete -c kubarium -n '__fish_seen_subcommand_from up' -s f -l file -r -F
complete -c kubarium -n '__fish_seen_subcommand_from logs' -l export -r -F
complete -c kubarium -n '__fish_seen_subcommand_from load' -F
"""
SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def candidates(parser: argparse.ArgumentParser, words: Sequence[str], names: Names) -> list[tuple[str, str]]:
    """Return what the last of `words` can become, with a description of each ("" for a name)."""
    *before, prefix = words or [""]
    cluster, option, place = "", None, 0
    for word in before:
        if option is not None:
            cluster, option = (word if option.dest == "name" else cluster), None
        elif word.startswith("-"):
            option = _awaiting(parser, word)
            cluster = word.partition("=")[2] if word.startswith("--name=") else cluster
        elif (inner := _subparser(parser, word)) is not None:
            parser, place = inner, 0
        else:
            place += 1
    if option is not None:
        found = _values(option, cluster, names)
    elif prefix.startswith("--") and "=" in prefix:
        flag, _, _ = prefix.partition("=")
        found = ((f"{flag}={word}", text) for word, text in _values(_option(parser, flag), cluster, names))
    elif prefix.startswith("-"):
        found = _options(parser)
    else:
        found = _positionals(parser, place, cluster, names)
    return [(word, text) for word, text in found if word.startswith(prefix)]


# argparse has no public way to ask a parser what it knows; the attributes below are those that have been there since it is.
def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - see above


def _option(parser: argparse.ArgumentParser, flag: str) -> argparse.Action | None:
    return next((each for each in _actions(parser) if flag in each.option_strings), None)


def _awaiting(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    """Return the option whose value has to follow this word; None where none has to."""
    option = _option(parser, word)
    return option if option is not None and option.nargs is None else None


def _subparser(parser: argparse.ArgumentParser, word: str) -> argparse.ArgumentParser | None:
    for action in _actions(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            found: argparse.ArgumentParser | None = action.choices.get(word)
            return found
    return None


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in _actions(parser):
        yield action.option_strings[-1] if action.option_strings else "", _described(action)


def _positionals(
    parser: argparse.ArgumentParser, place: int, cluster: str, names: Names
) -> Iterator[tuple[str, str]]:
    actions = [each for each in _actions(parser) if not each.option_strings]
    for number, action in enumerate(actions):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            commands = action._choices_actions if place == 0 else ()  # noqa: SLF001 - see above
            yield from ((each.dest, each.help or "") for each in commands)
        elif number == place or action.nargs in {"+", "*"}:
            yield from _values(action, cluster, names)


def _values(action: argparse.Action | None, cluster: str, names: Names) -> Iterator[tuple[str, str]]:
    """List what the value of an option or an argument can be: its choices, or names of what there is."""
    if action is None:
        return
    if action.choices is not None:
        yield from ((str(each), "") for each in action.choices)
    elif isinstance(action.metavar, str):
        yield from ((each, "") for each in names(action.metavar, cluster))


def _described(action: argparse.Action) -> str:
    return (action.help or "").partition(" (")[0]
