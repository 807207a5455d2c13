"""A recorded run as a row of the list, and in short beside it: verdicts, why it is red, where it stands, its facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracekit.model.status import BY_WORD, RED_STATUSES
from tracekit.model.words import ago, count, moment, seconds, weight
from tracekit.ui.panes.past import commit
from tracekit.ui.panes.story import title
from tracekit.ui.ports import RunRow
from tracekit.ui.runtree import Placed, greens, reds
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.engine.archive import Digest

_SHORT = 8
_DEEPEST = 4
_CAUSES, _LISTED, _NOTICES = 8, 40, 12


@dataclass(frozen=True)
class Columns:
    """Which columns a list needs, whatever the width."""

    project: int = 0
    where: int = 0
    commit: int = 0
    tail: int = 0
    depth: int = 0


def columns(rows: Iterable[Placed]) -> Columns:
    """A column in which every row says the same says nothing."""
    projects, wheres, revisions, tail, depth = set(), set(), 0, 0, 0
    for each in rows:
        row, depth = each.row, max(depth, min(each.depth, _DEEPEST))
        projects.add(row.root)
        wheres.add(where(row))
        revisions = max(revisions, len(revision(row)))
        tail = max(tail, len(_state(row)), 1 if row.pinned is not None else 0)
    longest = max((len(project(root)) for root in projects), default=0)
    return Columns(
        min(16, longest) if len(projects) > 1 else 0,
        min(16, max(map(len, wheres))) if wheres - {"local"} else 0,
        revisions,
        min(11, tail),
        depth,
    )


def project(root: str) -> str:
    """The last part of a project's path."""
    return root.rstrip("/").rpartition("/")[2]


def where(row: RunRow) -> str:
    """Environment and profile."""
    place = row.environment or "local"
    return f"{place} {row.profile}" if row.profile else place


def revision(row: RunRow) -> str:
    """The short commit, with a star where files differed from it; else the fingerprint of the sources."""
    git = row.facts.get("git") or {}
    return commit(row.facts) if git.get("commit") else row.fingerprint[:7]


def sign(row: RunRow, look: Palette) -> Line:
    """How a run stands, in one cell."""
    glyphs = look.glyphs
    if row.live:
        return Line().own(glyphs.live, look.accent)
    if row.reason not in {"finished", ""} or not row.ended:
        return Line().own(glyphs.warn, look.warn)
    if reds(row):
        return Line().own(glyphs.failed, look.failure)
    return Line().own(glyphs.passed, look.passed if greens(row) else look.dim)


def row_line(each: Placed, need: Columns, width: int, look: Palette, now: int, *, marked: bool) -> Line:
    """One run; what there is no room for stands beside the list."""
    row, glyphs = each.row, look.glyphs
    line = Line().own(glyphs.mark if marked else " ", look.accent)
    depth = min(each.depth, _DEEPEST)
    if depth:
        line.gap(2 * depth - 2).own(glyphs.branch, look.faint).gap(1)
    line.join(sign(row, look)).gap(1).name(row.run_id[-_SHORT:], look.text if row.ended else look.strong)
    line.gap(2 * (need.depth - depth) + 1)
    began = ago(row.started_t, now) if row.started_t else "?"
    line.own(f"{began:>8}", look.dim).gap(2)
    red, green = reds(row), greens(row)
    line.own(f"{glyphs.passed}{green:<6,}", look.passed if green else look.faint)
    line.own(f"{glyphs.failed}{red:<6,}", look.failed if red else look.faint)
    room = width - 1 - (need.tail + 1 if need.tail else 0)
    for text, columns_, style, right in (
        (_took(row, now), 7, look.text, True),
        (project(row.root), need.project, look.text, False),
        (where(row), need.where, look.dim if row.environment in {"", "local"} else look.warn, False),
        (revision(row), need.commit, look.dim, False),
    ):
        if columns_ and line.columns + columns_ <= room:
            put = shorten(clean(text), columns_, glyphs.dots)
            line.gap(columns_ - put.columns if right else 0).put(put, style)
            line.gap(2 if right else columns_ - put.columns + 2)
        elif columns_:
            room = 0  # what stands behind it would stand in its place
    return _end(line, row, width, look)


def _end(line: Line, row: RunRow, width: int, look: Palette) -> Line:
    """What is not as usual, on the right."""
    state = shorten(clean(_state(row)), max(0, width - line.columns - 2), look.glyphs.dots)
    pin = look.glyphs.pinned if row.pinned is not None else ""
    line.gap(width - 1 - line.columns - state.columns - (1 if pin else 0))
    return line.put(state, look.accent if row.live else look.warn).own(pin, look.accent)


def _state(row: RunRow) -> str:
    if row.live:
        return "live"
    if not row.ended:
        return row.reason or "no end"
    return row.reason if row.reason not in {"finished", ""} else ""


def _took(row: RunRow, now: int) -> str:
    if row.started_t and (row.ended_t or row.live):
        return seconds((row.ended_t or now) - row.started_t)
    return ""


def digest_lines(
    each: Placed, digest: Digest | Sequence[Problem] | None, look: Palette, now: int
) -> list[Line]:
    """The selected run in short; what has to be read first comes as it is known."""
    row = each.row
    lines = [_headline(row, look), Line(), *_verdicts(row, look)]
    if isinstance(digest, Sequence):
        lines += _problems(digest, look)
    elif digest is None:
        lines += [Line(), Line().gap(2).own("reading", look.dim).own(look.glyphs.dots, look.accent)]
    else:
        lines += _digest(digest, each, look)
    return [*lines, Line(), *_facts(row, digest if not isinstance(digest, Sequence) else None, look, now)]


def _headline(row: RunRow, look: Palette) -> Line:
    line, red, tests = Line().gap(2), reds(row), sum(row.counts.values())
    if row.live:
        line.own("goes on", look.accent)
    elif not row.ended:
        line.name(row.reason or "the recording has no end", look.warn)
    elif row.reason not in {"finished", ""}:
        line.own("ended early: ", look.warn).name(row.reason, look.warn)
    elif red:
        return line.own(f"{red:,} of {tests:,} failed", look.failure)
    elif not tests:
        return line.own("nothing ran", look.warn)
    elif greens(row) == tests:
        return line.own(f"{look.glyphs.passed} all green", look.passed)
    else:
        return line.own(f"{greens(row):,} of {tests:,} passed", look.strong)
    return line.own(f", {red:,} of {tests:,} red", look.failure) if red else line


def _verdicts(row: RunRow, look: Palette) -> list[Line]:
    known = {BY_WORD[word]: number for word, number in row.counts.items() if number and word in BY_WORD}
    return [
        Line()
        .gap(4)
        .own(look.glyphs.of(status), look.of(status))
        .own(f" {status.word:<10}", look.text)
        .own(f"{known[status]:>8,}", look.dim)
        for status in sorted(known, key=lambda status: (status not in RED_STATUSES, status))
    ]


def _digest(digest: Digest, each: Placed, look: Palette) -> list[Line]:
    lines: list[Line] = []
    if digest.causes:
        lines += title("why", look)
        for words, tests in digest.causes[:_CAUSES]:
            line = Line(8).gap(4).own(look.glyphs.failed, look.failure).gap(1).name(words, look.strong)
            lines.append(line.gap(2).own(count(tests, "test"), look.dim))
        lines += _more(len(digest.causes) - _CAUSES, look)
    if digest.outstanding is not None:
        lines += title(f"over {count(len(each.tree), 'run')} of its tree", look)
        if not digest.outstanding:
            line = Line().gap(4).own(look.glyphs.passed, look.passed)
            lines.append(line.own(" nothing is left: what was red is green by now", look.text))
        lines += [
            Line(8).gap(4).own(look.glyphs.failed, look.failed).gap(1).name(scenario, look.text)
            for scenario in digest.outstanding[:_CAUSES]
        ]
        lines += _more(len(digest.outstanding) - _CAUSES, look)
    if digest.notices:
        lines += title("notes", look)
        for kind, message in digest.notices[:_NOTICES]:
            head = (message.strip().splitlines() or [kind])[0]
            lines.append(Line(6).gap(4).own(look.glyphs.warn, look.warn).gap(1).name(head, look.text))
        lines += _more(len(digest.notices) - _NOTICES, look)
    if digest.not_run_count:
        lines += title(f"{count(digest.not_run_count, 'scenario')} not run", look)
        for left in digest.unrun:
            if left.why:
                lines.append(Line(4).gap(4).own("because ", look.dim).name(left.why, look.text))
            lines += [Line(6).gap(4).name(scenario, look.dim) for scenario in left.ids[:_LISTED]]
            lines += _more(left.count - min(_LISTED, len(left.ids)), look)
    if digest.damaged or digest.missing:
        lines += title("recording", look)
        told = f"{digest.damaged} damaged lines, {digest.missing} missing lines"
        lines.append(Line(4).gap(4).own(told, look.warn))
    return lines


def _more(left: int, look: Palette) -> list[Line]:
    return [Line().gap(4).own(f"{left:,} more", look.faint)] if left > 0 else []


def _facts(row: RunRow, digest: Digest | None, look: Palette, now: int) -> list[Line]:
    git, seed = row.facts.get("git") or {}, row.facts.get("seed")
    source = str(git.get("commit", ""))[:12] + (", with changes" if git.get("dirty") else "")
    told = [
        ("run", row.run_id),
        ("of", row.parent or ""),
        ("project", row.root),
        ("profile", row.profile or ""),
        ("where", row.environment or "local"),
        ("commit", source),
        ("branch", str(git.get("branch", ""))),
        ("sources", row.fingerprint[:12]),
        ("seed", f"0x{seed:x}" if isinstance(seed, int) and seed >= 0 else ""),
        ("began", moment(row.started_t) + " UTC" if row.started_t else ""),
        ("took", _took(row, now)),
        ("ended", row.reason),
        ("asked by", str(row.facts.get("purpose") or "")),
        ("pinned", "" if row.pinned is None else row.pinned or "yes"),
        ("imported", ago(row.imported, now) if row.imported else ""),
        ("on disk", weight(row.disk_bytes) if row.disk_bytes else ""),
    ]
    for suite in digest.suites[:20] if digest is not None else ():
        python = f"Python {suite.python_version}" if suite.python_version else ""
        told.append(("suite", " ".join(filter(None, (suite.name or suite.runner, suite.framework, python)))))
    return [
        Line(12).gap(2).own(f"{word:<9}", look.dim).gap(1).name(value, look.text)
        for word, value in told
        if value
    ]


def _problems(problems: Sequence[Problem], look: Palette) -> list[Line]:
    lines: list[Line] = []
    for problem in problems[:4]:
        lines += [
            Line(),
            Line(4).gap(2).own(f"{look.glyphs.warn} ", look.warn).name(problem.what, look.strong),
        ]
        lines += [Line(4).gap(4).name(place, look.dim) for place in problem.where.splitlines()[:3]]
        if problem.action:
            arrow = Line(6).gap(4).own(f"{look.glyphs.arrow} ", look.accent)
            lines.append(arrow.name(problem.action, look.text))
    return lines


def going(rows: Sequence[RunRow]) -> list[str]:
    """What a deletion takes away, in words for a question."""
    told = []
    for row in rows[:_CAUSES]:
        began = moment(row.started_t) if row.started_t else "?"
        verdicts = f"{greens(row):,} passed, {reds(row):,} red"
        told.append(
            f"{row.run_id[-_SHORT:]}  {began}  {verdicts}  {weight(row.disk_bytes)}  {project(row.root)}"
        )
        if row.pinned is not None:
            told.append(f"   pinned{': ' + row.pinned if row.pinned else ''}")
    if len(rows) > _CAUSES:
        told.append(f"and {len(rows) - _CAUSES:,} more, {weight(sum(row.disk_bytes for row in rows))} in all")
    return told
