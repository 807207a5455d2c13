"""`tracekit quarantine`: who is excused for now, by whom, and until when; the file beside the profile is the truth."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.config.quarantine import Entry
    from tracekit.model.state import RunState

SCHEMA = "tracekit.quarantine/1"
_DAYS = 14
_SOON = 3
_MOST_DAYS = 366
# How far back a verdict is looked for.
_RUNS = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|list|remove")
    add = verbs.add_parser("add", help="put a scenario into quarantine")
    add.add_argument("scenario", metavar="SCENARIO", help="an id, an unambiguous part of it, or a pattern")
    add.add_argument("--owner", required=True, metavar="WHO", help="who mends it")
    add.add_argument("--reason", required=True, metavar="WHY", help="why it may fail for now")
    add.add_argument(
        "--expires",
        type=_day,
        default=None,
        metavar="DAY",
        help=f"the last day on which it is not counted: 2026-01-29, or 7d (default: {_DAYS}d)",
    )
    listing = verbs.add_parser("list", help="show who is in quarantine, and how each does")
    remove = verbs.add_parser("remove", help="take a scenario out again")
    remove.add_argument("scenario", metavar="SCENARIO", help="as it stands in the file, or a part of it")
    for verb in (add, listing, remove):
        verb.add_argument(
            "--project", dest="path", default=".", metavar="PATH", help="the project (default: here)"
        )
        verb.add_argument("--profile", metavar="P", help="a bundled profile, or a profile's file")
        verb.add_argument("--json", action="store_true", help="one JSON line a scenario")
        verb.set_defaults(environment=None)


def _day(text: str) -> date | timedelta:
    number = text.removesuffix("d")
    if number != text and number.isdecimal() and len(number) <= 3 and int(number) <= _MOST_DAYS:
        return timedelta(days=int(number))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a day such as 2026-01-29 nor a time such as 7d"
        ) from None


def run(args: argparse.Namespace) -> int:
    """Add, list or remove."""
    verbs: dict[str, Callable[[argparse.Namespace, project.Project], int]] = {
        "add": _add,
        "list": _list,
        "remove": _remove,
    }
    return verbs[args.verb](args, project.project(args))


def _add(args: argparse.Namespace, found: project.Project) -> int:
    from tracekit.config.quarantine import Entry
    from tracekit.config.quarantine_edit import added, text_of, write

    today = project.places().today()
    wish = timedelta(days=_DAYS) if args.expires is None else args.expires
    expires = today + wish if isinstance(wish, timedelta) else wish
    if expires < today:
        raise ProblemError(
            Problem("cli.expired", "this day has passed already", str(expires), "name a day to come")
        )
    scenario = _resolved(args.scenario, found)
    entry = Entry(scenario, args.owner.strip(), args.reason.strip(), today, expires)
    write(found.root, added(text_of(found.root), entry))
    if args.json:
        edge.say_json(SCHEMA, {"added": _fact(entry)})
    else:
        edge.say(f"{scenario} is in quarantine until {expires} ({entry.owner}): commit {_file()}")
    return edge.OK


def _remove(args: argparse.Namespace, found: project.Project) -> int:
    from tracekit.config.quarantine_edit import removed, text_of, write

    entries = _entries(found)
    names = [entry.scenario for entry in entries]
    number = _one(args.scenario, names, "in quarantine", "`tracekit quarantine list` shows who is")
    write(found.root, removed(text_of(found.root), number))
    if args.json:
        edge.say_json(SCHEMA, {"removed": _fact(entries[number])})
    else:
        edge.say(f"{names[number]} counts again: commit {_file()}")
    return edge.OK


def _list(args: argparse.Namespace, found: project.Project) -> int:
    entries = _entries(found)
    today = project.places(writable=False).today()
    seen = _seen(found, entries, today)
    for entry in entries:
        last = seen.get(entry.scenario)
        state = _state(entry, today)
        if args.json:
            told = {"state": state, "last": None if last is None else last.to_json()}
            edge.say_json(SCHEMA, {**_fact(entry), **told, "where": entry.where.rpartition(":")[0]})
            continue
        how = last.words() if last is not None else f"never matched in the last {_RUNS} runs of this project"
        edge.say(
            f"{entry.scenario}  {state}: {entry.owner}, since {entry.since} until {entry.expires}: {entry.reason}"
        )
        edge.say(f"    {how}")
    if not entries and not args.json:
        edge.say(f"nobody is in quarantine: there is no entry in {_file()}")
    return edge.OK


def _file() -> str:
    from tracekit.config.quarantine import FILE

    return FILE


def _entries(found: project.Project) -> tuple[Entry, ...]:
    from tracekit.config import quarantine
    from tracekit.config.faults import Faults

    faults = Faults()
    entries = quarantine.read(found.root, faults)
    faults.raise_any()
    return entries


def _state(entry: Entry, today: date) -> str:
    if entry.expired(today):
        return "expired"
    return "expires soon" if (entry.expires - today).days <= _SOON else "active"


def _fact(entry: Entry) -> dict[str, str]:
    return {
        "scenario": entry.scenario,
        "owner": entry.owner,
        "reason": entry.reason,
        "since": entry.since.isoformat(),
        "expires": entry.expires.isoformat(),
    }


@dataclass
class _Last:
    """What the newest run says that holds any scenario an entry means."""

    run: str
    verdicts: dict[str, int]

    def to_json(self) -> dict[str, object]:
        """As it is printed."""
        return {"run": self.run, "verdicts": self.verdicts}

    def words(self) -> str:
        """As it is read."""
        told = ", ".join(
            word if count == 1 and len(self.verdicts) == 1 else f"{count} {word}"
            for word, count in self.verdicts.items()
        )
        return f"last: {told} in run {self.run}"


def _seen(found: project.Project, entries: Sequence[Entry], today: date) -> dict[str, _Last]:
    """The last verdicts of what each entry means, from the newest runs of this project."""
    from tracekit.config.quarantine import rows
    from tracekit.engine.history import History
    from tracekit.model.quarantine import quarantine_of
    from tracekit.store.runs import RunStore

    store = RunStore(project.places(writable=False).state)
    seen: dict[str, _Last] = {}
    looked = 0
    for folder in store.folders() if entries else ():
        try:
            if folder.facts().get("root") != found.root:
                continue
            state = History(store).open(folder).state
        except ProblemError:
            continue
        # Each entry for itself: what another one means as well is its own all the same.
        for row in rows([entry for entry in entries if entry.scenario not in seen], today):
            verdicts = _verdicts(state, quarantine_of([row]).of)
            if verdicts:
                seen[row["scenario"]] = _Last(folder.run_id, verdicts)
        looked += 1
        if looked >= _RUNS or len(seen) == len(entries):
            break
    return seen


def _verdicts(state: RunState, means: Callable[[str], object]) -> dict[str, int]:
    from tracekit.model.status import Status

    counts: dict[str, int] = {}
    for index, facts in enumerate(state.facts):
        status = Status(state.status[index])
        if facts.parent < 0 and status.over and status != Status.NOTRUN and means(facts.id):
            counts[status.word] = counts.get(status.word, 0) + 1
    return counts


def _resolved(text: str, found: project.Project) -> str:
    """The id that was meant, of what discovery finds; a pattern must mean something."""
    from tracekit.cli.live import submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Discover
    from tracekit.model.globs import glob
    from tracekit.model.notices import BLOCKING

    with Engine(project.places()) as engine:
        view = submitted(engine, Discover(found.root, found.profile, found.settings.environment))
        view.done.wait()
        ids = [facts.id for facts in view.state.facts if facts.parent < 0]
        whole = not any(notice.kind in BLOCKING for notice in view.state.notices)
    if "*" in text or "?" in text:
        fits = glob(text)
        if whole and not any(fits(one) or fits(one.partition(":")[2]) for one in ids):
            raise ProblemError(_nothing(text, "matched", "`tracekit list` shows what there is"))
        return text
    try:
        return ids[_one(text, ids, "here", "`tracekit list` shows what there is")]
    except ProblemError as fault:
        # Who cannot be collected at the moment may well be excused by its name.
        if whole or fault.first.code != "select.nothing" or "::" not in text:
            raise
        return text


def _one(text: str, names: Sequence[str], where: str, action: str) -> int:
    """The number of the one name that is meant: by itself, by its end, or by any part that no other holds."""
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: name == text,
        lambda name: name.partition(":")[2] == text,
        lambda name: name.endswith((f"::{text}", f"/{text}")),
        lambda name: text in name,
    )
    for fits in tests:
        numbers = [number for number, name in enumerate(names) if fits(name)]
        if len(numbers) == 1:
            return numbers[0]
        if numbers:
            shown = ", ".join(names[number] for number in numbers[:5])
            raise ProblemError(
                Problem("cli.ambiguous", f"{len(numbers)} scenarios match", text, f"say which: {shown}")
            )
    near = difflib.get_close_matches(text, names[:5000], n=1, cutoff=0.7)
    raise ProblemError(_nothing(text, where, f"did you mean {near[0]}?" if near else action))


def _nothing(text: str, where: str, action: str) -> Problem:
    return Problem("select.nothing", f"no such scenario is {where}", text, action)
