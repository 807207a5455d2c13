"""Completion scripts for shells, made from the registry's own parsers, so that they know every command and option.

What stands in a script is what does not change from one keypress to the next; runs, scenarios and profiles are asked of
`tracekit completions --values` when they are wanted. Making one loads every command; using one loads none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracekit.cli import registry

SHELLS = ("bash", "zsh", "fish")
# What stands behind an option or in a place, by the word that its help uses.
_KINDS = {
    "RUN": "runs",
    "RUN|FILE": "runs",
    "SCENARIO": "scenarios",
    "ID": "scenarios",
    "SELECTOR": "selectors",
    "P": "profiles",
    "E": "environments",
    "PATH": "files",
    "FILE": "files",
}
FILES, NOTHING = "files", "nothing"


@dataclass(frozen=True)
class Option:
    """One option: its names, what it takes, and a word of help."""

    names: tuple[str, ...]
    takes: str
    help: str


@dataclass(frozen=True)
class Spec:
    """One command, or one command of a command: `quarantine add`."""

    words: tuple[str, ...]
    options: tuple[Option, ...]
    places: tuple[str, ...]
    verbs: tuple[str, ...] = ()


def specs() -> list[Spec]:
    """Every command there is."""
    return [spec for name in (*registry.SUMMARIES, "tui") for spec in _specs((name,), registry.parser(name))]


def _specs(words: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Spec]:
    options: list[Option] = []
    places: list[str] = []
    verbs: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse tells its arguments in no other way
        if isinstance(action.choices, dict):
            verbs = action.choices
        elif action.help == argparse.SUPPRESS:
            continue
        elif action.option_strings:
            text = (action.help or "").replace("%(default)s", "").partition(";")[0]
            options.append(Option(tuple(action.option_strings), _takes(action), text))
        else:
            places.append(_takes(action))
    yield Spec(words, tuple(options), tuple(places), tuple(verbs))
    for verb, below in verbs.items():
        yield from _specs((*words, verb), below)


def _takes(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return "=" + ",".join(map(str, action.choices))
    metavar = action.metavar if isinstance(action.metavar, str) else (action.dest or "").upper()
    return _KINDS.get(metavar, NOTHING)


def script(shell: str) -> str:
    """The script of one shell."""
    made = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    return "\n".join(
        (f"# tracekit's completions for {shell}: made by `tracekit completions {shell}`.", *made, "")
    )


def _table() -> Iterator[str]:
    """What each command has, as assignments that bash and zsh read alike."""
    yield "_tracekit_spec() {"
    yield '    options="" takes="" places="" verbs=""'
    yield '    case "$1" in'
    for spec in specs():
        names = [name for option in spec.options for name in option.names]
        takes = [f"{name}:{one.takes}" for one in spec.options if one.takes for name in one.names]
        told = {"options": names, "takes": takes, "places": spec.places, "verbs": spec.verbs}
        row = " ".join(f"{name}={_plain(value)}" for name, value in told.items() if value)
        yield f"    {_plain(spec.words)}) {row} ;;"
    yield "    esac"
    yield "}"


def _plain(words: Iterable[str]) -> str:
    """Words of ours as one that no shell expands."""
    return f"'{' '.join(words)}'"


# Finds out what is wanted where the cursor stands: `kind` is what to offer, `cur` what is typed of it already.
_WANTED = """\
_tracekit_wanted() {
    local command="" verb="" prev="" place=0 word at=1 one
    kind=""
    [ "$program" = tracekit-tui ] && { command=tui; }
    _tracekit_spec "$command"
    while [ "$at" -lt "$#" ]; do
        eval "word=\\${$at}"
        at=$((at + 1))
        if [ "$word" = -- ]; then kind=files; return; fi
        if [ -n "$prev" ]; then prev=""; continue; fi
        case "$word" in
        -*) for one in ${=takes}; do [ "${one%%:*}" = "$word" ] && prev=${one#*:}; done ;;
        *)
            if [ -z "$command" ]; then
                command=$word; _tracekit_spec "$command"
            elif [ -n "$verbs" ]; then
                command="$command $word"; _tracekit_spec "$command"
            else
                place=$((place + 1))
            fi ;;
        esac
    done
    eval "cur=\\${$#}"
    if [ -n "$prev" ]; then kind=$prev; return; fi
    case "$cur" in
    --*=*)
        for one in ${=takes}; do [ "${one%%:*}" = "${cur%%=*}" ] && kind=${one#*:}; done
        cur=${cur#*=}
        return ;;
    -*) kind="=${options// /,}"; [ -z "$command" ] && kind="=--help,--version"; return ;;
    esac
    if [ -z "$command" ]; then kind="=$every"; return; fi
    if [ -n "$verbs" ]; then kind="=${verbs// /,}"; return; fi
    for one in ${=places}; do
        if [ "$place" = 0 ]; then kind=$one; return; fi
        place=$((place - 1))
    done
}
"""
_VALUES = """\
_tracekit_values() {
    local one
    case "$kind" in
    '='*) one=${kind#=}; printf '%s\\n' "${one//,/
}" | while IFS= read -r one; do case "$one" in "$cur"*) printf '%s\\n' "$one" ;; esac; done ;;
    ?*) command tracekit completions --values "$kind" --prefix="$cur" 2>/dev/null ;;
    esac
}
"""


def _shared() -> Iterator[str]:
    yield from _table()
    yield _WANTED.rstrip()
    yield _VALUES.rstrip()


def _bash() -> Iterator[str]:
    # What zsh writes `${=name}` to split at spaces, bash does by itself.
    yield "\n".join(_shared()).replace("${=", "${")
    yield _BASH.replace("@commands@", ",".join(registry.SUMMARIES)).rstrip()


_BASH = """\
_tracekit() {
    local IFS=$' \\t\\n' program=${COMP_WORDS[0]##*/} every=@commands@
    local options takes places verbs kind cur
    local words=() line=$COMP_LINE rest piece i
    # Readline divides words at colons; here they are put together again where no space stands between.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:space:]]*}"}
        if ((i == 0)) || [ "$rest" != "$line" ]; then words+=("$piece"); else words[${#words[@]}-1]+=$piece; fi
        line=${rest#"$piece"}
    done
    local typed=${words[${#words[@]}-1]} quote="" option=""
    case "$typed" in --*=*) option=${typed%%=*}= ;; esac
    case "$typed" in
    [\\'\\"]*) quote=${typed:0:1}; cur=${typed:1} ;;
    *) cur=${typed//\\\\/} ;;
    esac
    words[${#words[@]}-1]=$cur
    _tracekit_wanted "${words[@]:1}"
    COMPREPLY=()
    case "$kind" in
    "" | nothing) return ;;
    files) compopt -o filenames -o default 2>/dev/null; return ;;
    esac
    local before=${typed%"${typed##*[:=]}"} open=""
    while IFS= read -r piece; do
        case "$piece" in */ | *: ) open=yes ;; esac
        if [ -z "$quote" ]; then
            printf -v piece %q "$piece"
            piece=$option$piece
            piece=${piece#"$before"}
        fi
        COMPREPLY+=("$piece")
    done < <(_tracekit_values)
    [ -n "$open" ] && compopt -o nospace 2>/dev/null
    [ "$kind" = profiles ] && compopt -o default 2>/dev/null
    return 0
}
complete -F _tracekit tracekit tracekit-tui
"""


def _zsh() -> Iterator[str]:
    yield "#compdef tracekit tracekit-tui"
    yield from _shared()
    yield _ZSH.replace("@commands@", ",".join(registry.SUMMARIES)).rstrip()


_ZSH = """\
_tracekit() {
    local program=${words[1]:t} every=@commands@
    local options takes places verbs kind cur
    local -a given found whole
    given=("${(@Q)words[2,CURRENT]}")
    [[ $words[CURRENT] == --*=* ]] && compset -P '*='
    _tracekit_wanted "${given[@]}"
    case "$kind" in
    ''|nothing) return 1 ;;
    files) _files; return ;;
    esac
    found=("${(@f)$(_tracekit_values)}")
    whole=("${(@)found:#*[:/]}")
    compadd -a whole
    found=("${(@M)found:#*[:/]}")
    compadd -S '' -a found
    [ "$kind" = profiles ] && _files
}
if [ "$funcstack[1]" = _tracekit ]; then _tracekit "$@"; else compdef _tracekit tracekit tracekit-tui; fi
"""


def _fish() -> Iterator[str]:
    yield _FISH.rstrip()
    names = " ".join(registry.SUMMARIES)
    at_command = f"not __fish_seen_subcommand_from {names}"
    yield "complete -c tracekit -e"
    yield "complete -c tracekit-tui -e"
    yield f"complete -c tracekit -f -n {_fished(at_command)} -l help -s h"
    yield f"complete -c tracekit -f -n {_fished(at_command)} -l version -s V"
    for name, summary in registry.SUMMARIES.items():
        yield f"complete -c tracekit -f -n {_fished(at_command)} -a {name} -d {_fished(summary)}"
    for spec in specs():
        yield from _fish_rows(spec)


def _fish_rows(spec: Spec) -> Iterator[str]:
    program = "tracekit-tui" if spec.words == ("tui",) else "tracekit"
    words = "" if program == "tracekit-tui" else " ".join(spec.words)
    for option in spec.options:
        flags = " ".join(
            f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
        )
        where = _fished(f"__tracekit_at '{words}'")
        yield f"complete -c {program} -n {where} {flags}{_fish_value(option.takes)} -d {_fished(option.help)}"
    for number, takes in enumerate(spec.places):
        if takes not in {FILES, NOTHING}:
            where = _fished(f"__tracekit_at '{words}' {number}")
            yield f"complete -c {program} -n {where}{_fish_value(takes).replace(' -x', ' -f')}"
    if spec.verbs:
        first = _fished(f"__tracekit_at '{words}' 0")
        yield f"complete -c {program} -f -n {first} -a {_fished(' '.join(spec.verbs))}"
    elif FILES not in spec.places:
        anywhere = _fished(f"__tracekit_at '{words}'")
        yield f"complete -c {program} -f -n {anywhere}"


def _fish_value(takes: str) -> str:
    if not takes:
        return ""
    if takes.startswith("="):
        return f" -x -a {_fished(takes[1:].replace(',', ' '))}"
    if takes == NOTHING:
        return " -x"
    if takes == FILES:
        return " -r -F"
    return f" -x -a {_fished(f'(__tracekit_values {takes})')}"


def _fished(text: str) -> str:
    """A text in fish's single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_FISH = """\
function __tracekit_values
    set -l typed (commandline -ct | string unescape | string replace -r -- '^--[^=]*=' '')
    command tracekit completions --values $argv[1] --prefix="$typed" 2>/dev/null
end
# Whether these words of a command stand first, and, with a number, so many others that are no options behind them.
function __tracekit_at
    set -l words (commandline -opc)[2..]
    set -l plain (string match -v -- '-*' $words)
    set -l wanted (string split -n ' ' -- $argv[1])
    set -l count (count $wanted)
    test (count $plain) -ge $count; or return 1
    test $count -eq 0; or test "$plain[1..$count]" = "$wanted"; or return 1
    set -q argv[2]; or return 0
    test (count $plain) -eq (math $count + $argv[2])
end
"""
