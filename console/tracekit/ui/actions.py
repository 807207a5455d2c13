"""The one registry of what a key can do: keys, footer, help, palette and the keys page all come from it.

An action stands here only when it works. The registry knows no widget; a screen implements `action_<handler>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from tracekit.wire.problems import Problem

MOVE, LOOK, RUN, VIEW, PROGRAM = "Move", "Look", "Run", "View", "Program"
GROUPS = (MOVE, LOOK, RUN, VIEW, PROGRAM)
CONSOLE, LIST, ENVIRONMENTS = "console", "list", "environments"


@dataclass(frozen=True)
class Action:
    """One thing a person can do."""

    id: str
    keys: tuple[str, ...]
    label: str
    description: str
    group: str
    handler: str
    context: tuple[str, ...] = (CONSOLE,)
    hint: int = 0  # place in the footer, 1 first; 0: not in the footer
    command: str = ""  # the same on the command line

    def shown(self, *, ascii_only: bool = False) -> str:
        """The first key, as a person reads it."""
        return shown_key(self.keys[0], ascii_only=ascii_only) if self.keys else ""


BOTH = (CONSOLE, LIST)

ACTIONS: tuple[Action, ...] = (
    Action("move.down", ("j", "down"), "down", "next row", MOVE, "move('down')", BOTH),
    Action("move.up", ("k", "up"), "up", "previous row", MOVE, "move('up')", BOTH),
    Action(
        "move.left", ("left", "h"), "fold", "fold the row, go to its parent, or scroll left", MOVE, "left"
    ),
    Action(
        "move.right",
        ("right", "l"),
        "why",
        "unfold the row, go to its failure, or scroll right",
        MOVE,
        "right",
        hint=3,
    ),
    Action("move.top", ("g", "home"), "top", "first row (gg)", MOVE, "move('top')", BOTH),
    Action(
        "move.bottom",
        ("G", "end"),
        "bottom",
        "last row; in output and events: follow again",
        MOVE,
        "move('bottom')",
        BOTH,
    ),
    Action(
        "move.page_down",
        ("ctrl+d", "pagedown"),
        "page down",
        "half a page down",
        MOVE,
        "move('page_down')",
        BOTH,
    ),
    Action("move.page_up", ("ctrl+u", "pageup"), "page up", "half a page up", MOVE, "move('page_up')", BOTH),
    Action("move.next_failure", ("J",), "next failure", "next failed scenario", MOVE, "failure(1)", hint=12),
    Action(
        "move.previous_failure", ("K",), "previous failure", "previous failed scenario", MOVE, "failure(-1)"
    ),
    Action("move.next_match", ("n",), "next match", "next scenario that the filter shows", MOVE, "match(1)"),
    Action(
        "move.previous_match",
        ("N",),
        "previous match",
        "previous scenario that the filter shows",
        MOVE,
        "match(-1)",
    ),
    Action("look.open", ("enter",), "open", "drill into the row", LOOK, "open", BOTH, hint=6),
    Action("look.back", ("escape",), "back", "one level back, always", LOOK, "back", BOTH),
    Action("look.pane", ("tab",), "pane", "next pane", LOOK, "pane(1)"),
    Action("look.pane_back", ("shift+tab",), "pane back", "previous pane", LOOK, "pane(-1)"),
    Action("look.steps", ("1",), "steps", "story, steps with timings, assertions", LOOK, "tab('steps')"),
    Action(
        "look.failure", ("2",), "failure", "exception chain, operands, diff, locals", LOOK, "tab('failure')"
    ),
    Action("look.output", ("3",), "output", "what the scenario printed", LOOK, "tab('output')"),
    Action("look.cases", ("4",), "cases", "parameters and sub-tests of the same test", LOOK, "tab('cases')"),
    Action("look.repro", ("5",), "repro", "code, place and exact command", LOOK, "tab('repro')"),
    Action(
        "look.run",
        ("6",),
        "run",
        "the run itself: what ran where, what was not run and why",
        LOOK,
        "tab('run')",
    ),
    Action(
        "look.events",
        ("7",),
        "events",
        "what happened inside: marks, logs, exceptions, calls; / filters them there",
        LOOK,
        "tab('events')",
        hint=13,
        command="tracekit events RUN FILTER",
    ),
    Action(
        "look.attempt_next", (">",), "later attempt", "the next attempt of this scenario", LOOK, "attempt(1)"
    ),
    Action("look.attempt_back", ("<",), "earlier attempt", "the attempt before", LOOK, "attempt(-1)"),
    Action(
        "run.selected",
        ("r",),
        "run",
        "run the selected row again: a scenario, a file, a cause",
        RUN,
        "run_selected",
        hint=1,
        command="tracekit run -s ID",
    ),
    Action(
        "run.traced",
        ("t",),
        "trace",
        "run the selected row again and record each call of the project's own functions",
        RUN,
        "run_traced",
        command="tracekit run -s ID --trace calls",
    ),
    Action(
        "run.failed",
        ("f",),
        "failed",
        "run what failed again",
        RUN,
        "run_failed",
        hint=2,
        command="tracekit rerun --failed",
    ),
    Action("run.all", ("a",), "all", "run everything", RUN, "run_all", hint=11, command="tracekit run"),
    Action("run.mark", ("m",), "mark", "mark the row for R", RUN, "mark"),
    Action(
        "run.marked",
        ("R",),
        "marked",
        "run the marked rows",
        RUN,
        "run_marked",
        command="tracekit run -s ID -s ID",
    ),
    Action(
        "run.until_failure",
        ("u",),
        "until red",
        "run the selected row again and again until it is red",
        RUN,
        "run_until_failure",
        command="tracekit rerun RUN -s ID --until-failure N",
    ),
    Action(
        "run.watch",
        ("w",),
        "watch",
        "on save run what is marked, else what failed, else what it concerns",
        RUN,
        "watch",
        command="tracekit run --watch",
    ),
    Action("run.again", (".",), "again", "run the last choice again", RUN, "run_again"),
    Action(
        "run.cancel_one",
        ("x",),
        "stop one",
        "stop the selected scenario (asks)",
        RUN,
        "cancel_one",
        command="tracekit cancel RUN SCENARIO",
    ),
    Action(
        "run.cancel", ("X",), "stop", "stop the run (asks)", RUN, "cancel_run", command="tracekit cancel RUN"
    ),
    Action(
        "run.discover",
        ("ctrl+r",),
        "look again",
        "look for scenarios again",
        RUN,
        "discover",
        command="tracekit list",
    ),
    Action(
        "view.filter",
        ("/",),
        "filter",
        "show only rows that a selector names; in the events, those that pass a filter",
        VIEW,
        "filter",
        hint=4,
        command="tracekit list -s SELECTOR",
    ),
    Action("view.sort", ("s",), "sort", "failed first, or in the order of the files", VIEW, "sort"),
    Action(
        "view.follow",
        ("F",),
        "follow",
        "follow output or events as they come, or hold them",
        VIEW,
        "follow",
        hint=5,
    ),
    Action("view.pause", ("space",), "pause", "hold the screen still; the run goes on", VIEW, "pause"),
    Action("view.zoom", ("z",), "zoom", "give the whole width to one side", VIEW, "zoom"),
    Action("view.editor", ("o",), "edit", "open the line in your editor", VIEW, "editor"),
    Action("view.copy", ("y",), "copy", "copy the exact command", VIEW, "copy"),
    Action(
        "program.runs",
        ("H",),
        "runs",
        "recorded and live runs: replay, attach",
        PROGRAM,
        "runs",
        hint=10,
        command="tracekit runs",
    ),
    Action(
        "program.palette",
        (":", "ctrl+p"),
        "palette",
        "find an action by its name",
        PROGRAM,
        "palette",
        hint=7,
    ),
    Action(
        "program.environments",
        ("e",),
        "env",
        "where tests can run, and how it is there",
        PROGRAM,
        "environments",
        command="tracekit box check",
    ),
    Action(
        "program.shell",
        ("!",),
        "shell",
        "a shell on the run's box, in its directory",
        PROGRAM,
        "shell",
        (CONSOLE, ENVIRONMENTS),
        command="tracekit box shell",
    ),
    Action("env.check", ("c",), "check", "look at this box again", PROGRAM, "check", (ENVIRONMENTS,)),
    Action("program.help", ("?",), "help", "every key", PROGRAM, "help", hint=8),
    Action(
        "program.quit",
        ("q", "ctrl+q", "ctrl+c"),
        "quit",
        "leave; a live run may stay running",
        PROGRAM,
        "quit",
        BOTH,
        hint=9,
    ),
)

_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
_SHOWN = {
    "escape": "esc",
    "question_mark": "?",
    "full_stop": ".",
    "slash": "/",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def shown_key(key: str, *, ascii_only: bool = False) -> str:
    """A key as a person reads it."""
    return key if ascii_only and key in _ARROWS else _ARROWS.get(key) or _SHOWN.get(key, key)


def resolve(
    overrides: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[tuple[Action, ...], tuple[Problem, ...]]:
    """The registry with a person's own keys; faults in them are told, and the defaults stand there."""
    problems: list[Problem] = []
    known = {action.id: action for action in ACTIONS}
    wanted = dict(known)
    for action_id, keys in (overrides or {}).items():
        if action_id not in known:
            near = min(known, key=lambda name: _distance(name, action_id))
            problems.append(
                Problem("keymap.unknown_action", "no such action", action_id, f"did you mean {near}?")
            )
            continue
        listed = keys.split(",") if isinstance(keys, str) else keys
        chosen = tuple(key.strip() for key in listed if key.strip())
        rows = [key for key in chosen if " " in key]
        if rows:
            problems.append(
                Problem(
                    "keymap.sequence",
                    f"{rows[0]!r} is several keys in a row, and an action has one key",
                    action_id,
                    "use a single key, as f5 or ctrl+g",
                )
            )
            continue
        wanted[action_id] = replace(known[action_id], keys=chosen)
    problems += clashes(wanted.values())
    if any(problem.code == "keymap.clash" for problem in problems):
        return ACTIONS, tuple(problems)
    return tuple(wanted[action.id] for action in ACTIONS), tuple(problems)


def clashes(actions: Iterable[Action]) -> list[Problem]:
    """One problem for each key that would do two things in the same place."""
    owner: dict[tuple[str, str], str] = {}
    problems = []
    for action in actions:
        for key in action.keys:
            for context in action.context:
                first = owner.setdefault((context, normal(key)), action.id)
                if first != action.id:
                    problems.append(
                        Problem(
                            "keymap.clash",
                            f"{key} is already {first}",
                            action.id,
                            "choose another key for one of them",
                        )
                    )
    return problems


def normal(key: str) -> str:
    """The long name of a key, so that `?` and `question_mark` are the same."""
    return _character_to_key(key) if len(key) == 1 else key


def bindings(context: str) -> list[BindingType]:
    """What a screen of this context binds by default; the application's keymap replaces keys by id."""
    return [
        Binding(",".join(action.keys), action.handler, action.label, show=False, id=action.id)
        for action in ACTIONS
        if context in action.context
    ]


def keymap(actions: Iterable[Action]) -> dict[str, str]:
    """The keys as the screen library takes them; it ignores an empty text, so no keys is a key nobody has."""
    return {
        action.id: ",".join(normal(key) for key in action.keys) or f"unbound.{action.id}"
        for action in actions
    }


def by_group(actions: Iterable[Action]) -> Iterator[tuple[str, list[Action]]]:
    """Actions as help shows them."""
    listed = list(actions)
    for group in GROUPS:
        yield group, [action for action in listed if action.group == group]


def footer_hints(actions: Iterable[Action]) -> list[Action]:
    """What the footer shows, the most useful first."""
    return sorted(
        (action for action in actions if action.hint and action.keys), key=lambda action: action.hint
    )


def keys_reference() -> str:
    """The page of keys, in Markdown; made from the registry and from nothing else."""
    lines = [
        "# Keys",
        "",
        "Made from the registry of actions. Any key can be changed by its id in the table `[keys]` of your",
        'configuration, as in `"run.failed" = "F5"`; two keys are written with a comma between them.',
    ]
    for group, actions in by_group(ACTIONS):
        lines += ["", f"## {group}", "", "| keys | does | id | on the command line |", "|---|---|---|---|"]
        for action in actions:
            keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
            command = f"`{action.command}`" if action.command else ""
            lines.append(f"| {keys} | {action.description} | `{action.id}` | {command} |")
    return "\n".join(lines) + "\n"


def _distance(one: str, other: str) -> int:
    """Edit distance, for suggestions only."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]
