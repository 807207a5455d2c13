"""Everything that a key can do, as data: ids, keys, words, where it works, and the same on the command line.

An action stands here only when it works. A screen that works in a context implements `action_<handler>`.
"""

from __future__ import annotations

from dataclasses import dataclass

MOVE, LOOK, RUN, VIEW, HISTORY, PROGRAM = "Move", "Look", "Run", "View", "Runs", "Program"
GROUPS = (MOVE, LOOK, RUN, VIEW, HISTORY, PROGRAM)
CONSOLE, LIST, ENVIRONMENTS = "console", "list", "environments"
RUNS, COMPARISON, TRENDS = "runs", "comparison", "trends"
PAST = (RUNS, COMPARISON, TRENDS)


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
    needs: str = ""  # what there must be before the footer offers it: a "run" that ran something, a "red" row

    def shown(self, *, ascii_only: bool = False) -> str:
        """The first key, as a person reads it."""
        return shown_key(self.keys[0], ascii_only=ascii_only) if self.keys else ""


BOTH = (CONSOLE, LIST, *PAST)
PANES = (CONSOLE, *PAST)

ACTIONS: tuple[Action, ...] = (
    Action("move.down", ("j", "down"), "down", "next row", MOVE, "move('down')", BOTH),
    Action("move.up", ("k", "up"), "up", "previous row", MOVE, "move('up')", BOTH),
    Action(
        "move.left",
        ("left", "h"),
        "fold",
        "fold the row, go to its parent, or scroll left",
        MOVE,
        "left",
        PANES,
    ),
    Action(
        "move.right",
        ("right", "l"),
        "why",
        "unfold the row, go to its failure, or scroll right",
        MOVE,
        "right",
        PANES,
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
    Action(
        "move.next_failure",
        ("J",),
        "next failure",
        "next failed scenario",
        MOVE,
        "failure(1)",
        hint=12,
        needs="red",
    ),
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
    Action("look.pane", ("tab",), "pane", "next pane", LOOK, "pane(1)", PANES),
    Action("look.pane_back", ("shift+tab",), "pane back", "previous pane", LOOK, "pane(-1)", PANES),
    Action(
        "look.steps",
        ("1",),
        "steps",
        "scenario, setup, steps, assertions, cleanup, edge cases, code and command",
        LOOK,
        "tab('steps')",
    ),
    Action(
        "look.why",
        ("2",),
        "why",
        "what went wrong, where else, and what is different since it was green",
        LOOK,
        "tab('why')",
    ),
    Action("look.output", ("3",), "output", "what the scenario printed", LOOK, "tab('output')"),
    Action(
        "look.events",
        ("4",),
        "events",
        "what happened inside: marks, logs, exceptions, calls; / filters them there",
        LOOK,
        "tab('events')",
        hint=13,
        needs="run",
        command="tracekit events RUN FILTER",
    ),
    Action(
        "look.timeline",
        ("5",),
        "timeline",
        "steps, threads and calls over one axis of time",
        LOOK,
        "tab('timeline')",
        command="tracekit export RUN --perfetto FILE",
    ),
    Action("look.env", ("6",), "env", "where it ran: machine, process, run, sources", LOOK, "tab('env')"),
    Action(
        "look.history",
        ("7",),
        "history",
        "its last verdicts and durations; enter opens one of those runs",
        LOOK,
        "tab('history')",
        command="tracekit history SCENARIO",
    ),
    Action("look.repro", ("8",), "repro", "code, place and exact command", LOOK, "tab('repro')"),
    Action(
        "look.run",
        ("0",),
        "run",
        "the run itself: how it stands, what was not run and why",
        LOOK,
        "tab('run')",
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
        needs="red",
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
    Action(
        "run.debug",
        ("D",),
        "debug",
        "run the scenario in the foreground of this terminal, with its debugger",
        RUN,
        "debug",
        command="tracekit debug RUN SCENARIO",
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
        (CONSOLE, LIST, RUNS),
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
        needs="run",
    ),
    Action("view.pause", ("space",), "pause", "hold the screen still; the run goes on", VIEW, "pause"),
    Action("view.zoom", ("z",), "zoom", "give the whole width to one side", VIEW, "zoom"),
    Action(
        "view.closer", ("+", "equals_sign"), "closer", "a shorter window of the timeline", VIEW, "closer(1)"
    ),
    Action("view.wider", ("-",), "wider", "a longer window of the timeline", VIEW, "closer(-1)"),
    Action("view.editor", ("o",), "edit", "open the line in your editor", VIEW, "editor"),
    Action("view.copy", ("y",), "copy", "copy the chosen lines, else the exact command", VIEW, "copy"),
    Action(
        "view.copy_evidence",
        ("Y",),
        "evidence",
        "copy the failure with frames, locals, output and command, as Markdown",
        VIEW,
        "copy_evidence",
    ),
    Action("view.select", ("v",), "select", "choose lines with the movement keys, for y", VIEW, "select"),
    Action(
        "program.runs",
        ("H",),
        "runs",
        "recorded and live runs: replay, attach, compare, pin, delete",
        PROGRAM,
        "runs",
        hint=10,
        command="tracekit runs",
    ),
    Action(
        "program.palette",
        (":", "ctrl+p"),
        "palette",
        "find an action, a scenario or a run by parts of its name",
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
        command="tracekit box shell NAME",
    ),
    Action(
        "env.mark",
        ("space",),
        "mark",
        "mark this one: enter runs on all that are marked",
        PROGRAM,
        "mark",
        (ENVIRONMENTS,),
    ),
    Action("env.check", ("c",), "check", "look at this box again", PROGRAM, "check", (ENVIRONMENTS,)),
    Action(
        "time.back",
        ("[",),
        "back in time",
        "the run one verdict earlier; where keys go to a scenario, one of its steps",
        HISTORY,
        "travel(-1)",
        command="tracekit-tui --replay RUN",
    ),
    Action(
        "time.on",
        ("]",),
        "on in time",
        "one verdict or step later; past the end, the run as it is",
        HISTORY,
        "travel(1)",
    ),
    Action("time.far_back", ("{",), "far back", "a tenth of the run earlier", HISTORY, "travel_far(-1)"),
    Action("time.far_on", ("}",), "far on", "a tenth of the run later", HISTORY, "travel_far(1)"),
    Action("time.begin", ("(",), "begin", "to the beginning of the run", HISTORY, "travel_to('begin')"),
    Action("time.now", (")",), "now", "the run as it is, live or at its end", HISTORY, "travel_to('now')"),
    Action(
        "runs.mark",
        ("space", "m"),
        "mark",
        "mark the run, to compare another one with it",
        HISTORY,
        "mark",
        (RUNS,),
        hint=5,
    ),
    Action(
        "runs.compare",
        ("c", "d"),
        "compare",
        "compare the run with the marked one, else with the one before it",
        HISTORY,
        "compare",
        (RUNS,),
        hint=6,
        command="tracekit compare RUN RUN",
    ),
    Action(
        "runs.diff",
        ("d",),
        "diff",
        "what changed since the run before",
        HISTORY,
        "diff",
        command="tracekit compare RUN RUN",
    ),
    Action(
        "runs.trends",
        ("P",),
        "trends",
        "plots over the last hundred runs: of the scenario, of the project, and what is flaky",
        HISTORY,
        "trends",
        (CONSOLE, RUNS),
        command="tracekit history SCENARIO",
    ),
    Action(
        "runs.open_first",
        ("<",),
        "in the first",
        "open the scenario in the first run",
        HISTORY,
        "open_in(0)",
        (COMPARISON,),
        hint=6,
    ),
    Action(
        "runs.open_second",
        (">",),
        "in the second",
        "open the scenario in the second run",
        HISTORY,
        "open_in(1)",
        (COMPARISON,),
        hint=6,
    ),
    Action(
        "runs.pin",
        ("p",),
        "pin",
        "keep the run whatever the limits say, or leave it to them",
        HISTORY,
        "pin",
        (RUNS,),
        hint=7,
        command="tracekit pin RUN",
    ),
    Action(
        "runs.delete",
        ("D", "delete"),
        "delete",
        "take the run off the disk (asks)",
        HISTORY,
        "delete",
        (RUNS,),
        hint=7,
        command="tracekit delete RUN",
    ),
    Action("runs.reload", ("ctrl+r",), "read again", "read the list again", HISTORY, "reload", (RUNS,)),
    Action(
        "program.theme",
        ("T",),
        "theme",
        "other colours: dark, light, high contrast, the terminal's own",
        PROGRAM,
        "theme",
    ),
    Action(
        "program.suspend",
        ("ctrl+z",),
        "suspend",
        "leave the terminal to the shell; `fg` comes back",
        PROGRAM,
        "suspend",
    ),
    Action("program.redraw", ("ctrl+l",), "redraw", "paint all of it again", PROGRAM, "redraw", PANES),
    Action("program.help", ("?",), "help", "every key", PROGRAM, "help", PANES, hint=8),
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

#: The keys of each, and the screens where it works: what a person's own keys are checked against.
DEFAULT_KEYS = {action.id: action.keys for action in ACTIONS}
CONTEXTS = {action.id: action.context for action in ACTIONS}

_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
_SHOWN = {
    "escape": "esc",
    "question_mark": "?",
    "full_stop": ".",
    "slash": "/",
    "equals_sign": "=",
    "plus": "+",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def shown_key(key: str, *, ascii_only: bool = False) -> str:
    """A key as a person reads it."""
    return key if ascii_only and key in _ARROWS else _ARROWS.get(key) or _SHOWN.get(key, key)
