"""What is said where there are no rows: discovering, not trusted, nothing found, refused; and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from tracekit.model.facts import RunFacts
from tracekit.model.words import count, link_words, seconds
from tracekit.ui.board import Board
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette
from tracekit.wire.problems import Problem

# For how long a link that came back is told.
TOLD = 10_000_000_000
LOOKED_FOR = (
    ("tracekit.toml", "or [tool.tracekit] in pyproject.toml: suites as you name them"),
    ("pytest", "pytest.ini, [tool.pytest.ini_options], conftest.py, tests/, test_*.py, *_test.py"),
    ("cargo", "Cargo.toml, with #[test] or documentation tests below it"),
    ("go", "go.mod, with *_test.go below it"),
    ("JavaScript", "package.json that names vitest, jest, mocha or node --test"),
)


def state_lines(
    board: Board, stage: str, problems: Sequence[Problem], root: str, look: Palette
) -> list[Line]:
    """The whole screen's text while there is nothing to list."""
    if problems:
        return problem_lines(problems, look)
    view = board.newest
    if stage == "trust":
        return [Line().own("waiting for your answer", look.dim)]
    if stage == "untrusted":
        return [
            Line().own("nothing was looked for", look.strong),
            Line(),
            Line(2).own(
                "finding scenarios runs the project's own code, and you did not allow that", look.text
            ),
            Line(2).own("ctrl+r asks again, H shows recorded runs, q leaves", look.dim),
        ]
    if view is None and stage == "idle":
        return [
            Line().own("nothing was looked for", look.strong),
            Line(),
            Line(2).own("ctrl+r looks for scenarios, H shows recorded runs, q leaves", look.dim),
        ]
    if view is None or (view.live and stage != "idle") or (view.live and not view.state.run.ended):
        run = view.state.run if view is not None else None
        # One that was asked for a list only has nothing to begin.
        begun = run is not None and run.started_t and run.mode != "discover"
        words = "no test has begun yet" if begun else "looking for scenarios"
        told = {"opening": "opening the run", "launching": "starting"}.get(stage, words)
        return [
            Line().own(told, look.strong).own(look.glyphs.dots, look.accent),
            Line(),
            Line(2).own("in ", look.dim).name(root or (view.root if view else ""), look.text),
        ]
    return _nothing(root or view.root, look)


def _nothing(root: str, look: Palette) -> list[Line]:
    lines = [
        Line().own("no scenarios found", look.strong),
        Line(),
        Line(2).own("in ", look.dim).name(root, look.text),
        Line(),
        Line().own("what was looked for", look.accent),
    ]
    for name, what in LOOKED_FOR:
        lines.append(Line(18).own(f"  {name:<16}", look.text).own(what, look.dim))
    return [
        *lines,
        Line(),
        Line().own("next", look.accent),
        Line(4)
        .own(f"  {look.glyphs.arrow} ", look.accent)
        .own("open another folder: tracekit-tui PATH", look.text),
        Line(4)
        .own(f"  {look.glyphs.arrow} ", look.accent)
        .own("name a suite in tracekit.toml, then ctrl+r", look.text),
        Line(4)
        .own(f"  {look.glyphs.arrow} ", look.accent)
        .own("see it work first: tracekit demo", look.text),
    ]


def problem_lines(problems: Sequence[Problem], look: Palette) -> list[Line]:
    """What could not be done: what, where, what to do."""
    lines: list[Line] = []
    for problem in problems[:50]:
        lines.append(Line(4).own(f"{look.glyphs.warn} ", look.warn).name(problem.what, look.strong))
        lines += [Line(4).own("  ").name(place, look.dim) for place in problem.where.splitlines()]
        if problem.action:
            lines.append(Line(6).own(f"  {look.glyphs.arrow} ", look.accent).name(problem.action, look.text))
        lines.append(Line())
    return lines


def fault_lines(problem: Problem, look: Palette) -> list[Line]:
    """What of a filter is not understood, the place under it, and what may be written there."""
    lines = [Line().gap(1).own(look.glyphs.warn, look.warn).gap(1).name(problem.what, look.warn)]
    # The first line of the place says in words what the mark below shows.
    lines += [Line().gap(1).name(part, look.text) for part in problem.where.split("\n")[1:]]
    return [*lines, Line().gap(1).name(problem.action, look.dim)] if problem.action else lines


def banner(board: Board, problems: Sequence[Problem], look: Palette, now: int) -> Line | None:
    """One line above the footer while something about the link or the engine needs to be known."""
    view = board.newest
    link = link_words(view.link, view.away, view.folded) if view is not None else ""
    lost = link if view is not None and view.link == "lost" else ""
    if view is not None and view.problem is not None and view.link != "reconnecting":
        what = f"{lost}: {view.problem.what}" if lost else view.problem.what
        return _banner(what, view.problem.action, look)
    if view is not None and view.link == "reconnecting":
        if view.trouble is not None:
            return _banner(f"{link}: {view.trouble.what}", view.trouble.action, look)
        return _banner(f"{link}; the run goes on", "", look)
    if lost:
        return _banner(f"{lost}: shown as lost, not as failed", "H attaches again", look)
    if view is not None and view.live and view.resumed is not None and now - view.resumed[2] < TOLD:
        events, away, _ = view.resumed
        line = Line().gap(1).own(look.glyphs.live, look.accent).gap(1)
        caught = f"{count(events, 'event')} caught up" if events else "nothing was missed"
        return line.own(f"resumed: {caught}", look.text).own(
            f" after {seconds(away)} without a link", look.dim
        )
    if view is not None and view.live and (found := awaited(view.state.run)) is not None:
        what, why = found
        return _banner(f"{what}: {why}", "", look)
    if problems and board.ids:
        return _banner(problems[0].what, problems[0].action, look)
    return None


def awaited(run: RunFacts) -> tuple[str, str] | None:
    """The services that nothing begins without, and why the first of them is not well; None when all have answered."""
    services = [service for service in run.services if service.awaited]
    if not services:
        return None
    first = services[0]
    where = f" on {first.box}" if len(run.boxes) > 1 else ""
    more = f" and {len(services) - 1} more" if len(services) > 1 else ""
    return f"waits for service {first.name}{where}{more}", first.why


def _banner(what: str, action: str, look: Palette) -> Line:
    line = Line().gap(1).own(look.glyphs.warn, look.warn).gap(1).name(what, look.text)
    return line.own(f"  {look.glyphs.arrow} ", look.accent).name(action, look.dim) if action else line
