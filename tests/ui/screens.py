"""Every screen that has a golden: what is opened, which keys are pressed, at which sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import journals
from tests.support.consoles import (
    Before,
    Console,
    Discover,
    FakeBox,
    FakeBoxes,
    FakeEngine,
    FakeRow,
    FakeView,
    Launch,
    console,
    press,
    settle,
    showing,
)
from tests.support.journals import BEGAN, ROOT, SECOND
from tests.ui.past_screens import PAST
from tests.ui.shots import FOUR, LINE, SMALL, Shot, keys, opened
from tracekit.engine.view import Resumed
from tracekit.link.login import Question
from tracekit.ui.colours import ANSI, DARK, THEMES
from tracekit.wire.problems import Problem

PASSPHRASE = Question("passphrase", "ci@box7.lab:22", "passphrase of /home/ana/.ssh/id_ed25519")
FACTOR = Question("interactive", "ci@box7.lab:22", "Second factor\nLook at your device.\nCode: ", echo=True)
PRINT = "SHA256:9w2hGm0eVY3yTq1Xo0bK5dQe7r0Jc9vJx3Zk8uPqL4A"
UNKNOWN = Question("host-key", "ci@box7.lab:22", f"box7.lab shows {PRINT}", fingerprint=PRINT)


def asked(question: Question, *typed: str) -> Before:
    """A login asks this, and these keys are pressed."""

    async def before(pilot: Any, shown: Console) -> None:
        waiting = asyncio.create_task(shown.app.ports.questions.ask(question))
        shown.waiting.append(waiting)
        under = shown.app.screen
        while shown.app.screen is under:
            await pilot.pause()  # poll: until the question is shown
        await press(pilot, shown, *typed)

    return before


async def given_up(pilot: Any, shown: Console) -> None:
    """While somebody types what a login asks, that login ends."""
    await asked(PASSPHRASE, *"hunter2")(pilot, shown)
    shown.waiting[-1].cancel()
    await settle(pilot, shown)


def environments() -> Console:
    """Three boxes: one is well, one has a clock that is off, one does not answer."""
    clock = Problem("box.clock", "its clock is +94.2 s off", "lab2", "set the clock there, as by NTP")
    dead = Problem("ssh.refused", "nothing listens there", "ci@lab3", "is its sshd running? Try `ssh lab3`")
    well = "python 3.11.2 · load 0.42 · 69 GiB · 1 live · clock +0.001s ±0.004"
    off = "python 3.9.18 · load 3.10 · 7 GiB · clock +94.214s ±0.051"
    boxes = FakeBoxes(
        FakeBox("local"),
        FakeBox("box7", "ci@box7.lab", words=well),
        FakeBox("lab2", "ci@10.0.0.12:2222", well=False, words=off, problems=(clock,)),
        FakeBox("lab3", "ci@lab3", well=False, problems=(dead,)),
    )
    return showing(FakeView(journals.failing()), boxes=boxes, environment="box7")


def wrong_key(code: str, what: str, action: str) -> Console:
    """A box that shows a key that is never accepted."""
    problem = Problem(code, what, "ci@box7.lab:22", action)
    return console(Launch(ROOT), engine=FakeEngine(launch=problem), root=ROOT)


def changed() -> Console:
    """Somebody may listen in."""
    before = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVF1kgR2J1wPzPa2mXjE"
    what = f"the host key has changed: it is {PRINT}, and was {before}"
    action = (
        "somebody may listen in: compare it with the machine's own key, which `ssh-keygen -lf` shows there. "
        "Only if it is right, forget the old one: "
        "`ssh-keygen -R box7.lab -f ~/.config/tracekit/known_hosts` (tracekit's own file), and "
        "`ssh-keygen -R box7.lab -f ~/.ssh/known_hosts` (ssh's file, which is only read here); "
        "then the new one is asked about, or taken with --accept-new"
    )
    return wrong_key("ssh.host_key_changed", what, action)


def revoked() -> Console:
    """A key that was withdrawn."""
    what = f"the host key {PRINT} is revoked"
    return wrong_key("ssh.host_key_revoked", what, "ask whoever revoked it; it is never accepted")


GOLDEN_TRACE = Path(__file__).parents[1] / "fixtures" / "golden-trace"


def traced(make: Callable[[], journals.Journal], **options: Any) -> Callable[[], Console]:
    """A console on a run with the trace that is kept as bytes."""

    def make_console() -> Console:
        view = FakeView(make())
        view.traced = GOLDEN_TRACE
        return showing(view, **options)

    return make_console


def discovering() -> Console:
    """Nothing has come yet."""
    return console(Discover(ROOT), engine=FakeEngine(discover=None), root=ROOT)


def found(make: Callable[[], journals.Journal]) -> Callable[[], Console]:
    """What a discovery gave."""
    return lambda: console(Discover(ROOT), engine=FakeEngine(discover=FakeView(make())), root=ROOT)


def untrusted() -> Console:
    """A project that is opened for the first time."""
    return console(Discover(ROOT), trusted=False, engine=FakeEngine(discover=None), root=ROOT)


def refused() -> Console:
    """The engine says no."""
    problem = Problem(
        "config.unknown_key",
        "unknown key 'sutes'",
        "tracekit.toml:3:1 sutes",
        "did you mean 'suites'? `tracekit config` shows all of it",
    )
    return console(Launch(ROOT), engine=FakeEngine(launch=problem), root=ROOT)


def lost() -> Console:
    """The box is gone while scenarios run."""
    view = FakeView(journals.running())
    view.state.mark_lost()
    view.live, view.link = False, "lost"
    return showing(view)


def disk_full() -> Console:
    """A run whose disk took no more, at its end."""
    view = FakeView(journals.running())
    view.live, view.link = False, "ended"
    view.problem = Problem(
        "run.recording_incomplete",
        "parts of this run could not be recorded; its verdicts stand: 1 failed, 11 passed, 1 skipped",
        "",
        "free space on that disk before the next run",
    )
    return showing(view)


def disk_full_live() -> Console:
    """The disk takes no more while the run goes on."""
    view = FakeView(journals.running())
    view.problem = Problem(
        "run.recording_incomplete",
        "parts of this run are not recorded: No space left on device",
        "",
        "free space on that disk: what comes then is kept",
    )
    return showing(view)


def reconnecting() -> Console:
    """The link is down for now."""
    view = FakeView(journals.running(), link="reconnecting")
    view.away = (1_763_674_150_000_000_000, 3)
    return showing(view)


def resumed() -> Console:
    """The link was down, and what was missed is here."""
    view = FakeView(journals.running())
    view.elsewhere = True
    made = showing(view)
    view.resumed = Resumed(1_204, 4_100_000_000, made.clock[0])
    return made


def live_here() -> Console:
    """A project in which a run goes on that this console did not start."""
    shown = found(journals.discovered)()
    shown.engine.rows = [FakeRow("01KAH0C5M0DEMORVNL1VE00001", started_t=BEGAN, live=True, reason="")]
    return shown


def rerun() -> Console:
    """A run whose reds are run again, from here."""
    shown = opened(journals.failing)()
    shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
    return shown


async def rerun_failed(pilot: Any, shown: Console) -> None:
    """Run the failed ones again and look at the first of them."""
    await press(pilot, shown, "J", "f")
    shown.clock[0] += 20 * SECOND
    await settle(pilot, shown)


#: What runs for long in `journals.running`.
MANY = "pytest:chat/test_ws.py::test_1000_clients"


async def scrolled_up(pilot: Any, shown: Console) -> None:
    """Output that a person holds while more comes."""
    await keys(*"jjjj", "3", "tab", "k", "k")(pilot, shown)
    view = shown.app.board_screen.board.newest
    assert isinstance(view, FakeView)
    many = next(
        line["scenario"]
        for line in view.journal.lines
        if line["e"] == "output" and "1000_clients" in line["scenario"]
    )
    for client in range(40, 47):
        view.journal.prints(f"client {client:03d} connected\n", many)
    view.feed(7)


async def counted(pilot: Any, shown: Console) -> None:
    """Events that are looked at while they come."""
    await press(pilot, shown, *"jjjj", "4")
    view = shown.app.board_screen.board.newest
    assert isinstance(view, FakeView)
    for client in range(81):
        view.journal.line("failure", scenario=MANY, attempt=1, message=f"client {client:03d} is gone")
    view.feed(81)
    shown.clock[0] += 1_000_000_000


def remembered(make: Callable[[], journals.Journal], **options: Any) -> Callable[[], Console]:
    """A console on a run of a project that has run before."""

    def make_console() -> Console:
        shown = opened(make, **options)()
        shown.engine.before.answer = journals.before()
        return shown

    return make_console


SHOTS: tuple[Shot, ...] = (
    Shot("failing", opened(journals.failing), (*FOUR, SMALL, LINE)),
    Shot("failing-assertion", opened(journals.failing), FOUR, keys("J", "l")),
    Shot("drill-steps", opened(journals.failing), FOUR, keys("J", "1", "enter")),
    Shot("why-since-green", remembered(journals.failing), FOUR, keys("J", "l", "G")),
    Shot("history", remembered(journals.failing), FOUR, keys("J", "7", "enter")),
    Shot("history-none", opened(journals.failing), FOUR, keys("J", "7")),
    Shot("history-ascii", remembered(journals.failing, ascii_only=True), FOUR, keys("J", "7", "enter")),
    Shot("env", remembered(journals.failing), FOUR, keys("J", "6", "enter")),
    Shot("step-chosen", opened(journals.failing), FOUR, keys("J", "1", "enter", "j", "j", "enter")),
    Shot(
        "step-chosen-output", opened(journals.failing), FOUR, keys("J", "1", "enter", "j", "j", "enter", "3")
    ),
    Shot("drill-cases", opened(journals.failing), FOUR, keys("J", "J", "1", "enter", "G")),
    Shot("drill-repro", opened(journals.failing), FOUR, keys("J", "8", "enter")),
    Shot("drill-zoomed", opened(journals.failing), FOUR, keys("J", "z")),
    Shot("run-tab", opened(journals.failing), FOUR, keys("0")),
    Shot("ascii", opened(journals.failing, ascii_only=True), FOUR, keys("J")),
    *(
        Shot(f"theme-{name}", opened(journals.failing, theme=name), FOUR, keys("J"))
        for name in THEMES
        if name != DARK
    ),
    Shot("theme-ansi-events", traced(journals.failing, theme=ANSI), FOUR, keys("J", "7", "tab")),
    Shot("theme-choice", opened(journals.failing), FOUR, keys("T")),
    Shot("running", opened(journals.running), FOUR, keys("j", "j", "j", "j")),
    Shot("events-live", opened(journals.running), FOUR, counted),
    Shot("running-held", opened(journals.running), FOUR, scrolled_up),
    Shot("events", traced(journals.failing), FOUR, keys("J", "4", "tab")),
    Shot("timeline", traced(journals.failing), FOUR, keys("J", "5", "enter", "j", "j")),
    Shot("timeline-run", opened(journals.spread), FOUR, keys("g", "5", "enter")),
    Shot(
        "timeline-run-ascii", opened(journals.spread, ascii_only=True), FOUR, keys("g", "5", "tab", "j", "l")
    ),
    Shot("timeline-untraced", opened(journals.failing), FOUR, keys("J", "5")),
    Shot("timeline-ascii", traced(journals.failing, ascii_only=True), FOUR, keys("J", "5", "enter")),
    Shot("events-zoomed", traced(journals.failing), FOUR, keys("J", "4", "z")),
    Shot(
        "events-filter",
        traced(journals.failing),
        FOUR,
        keys("J", "4", "tab", "slash", *"level>=warning", "enter"),
    ),
    Shot(
        "events-fault",
        traced(journals.failing),
        FOUR,
        keys("J", "4", "tab", "slash", *"error levvel>=warning", "enter"),
    ),
    Shot(
        "events-nothing", traced(journals.failing), FOUR, keys("J", "4", "tab", "slash", *"dur>1h", "enter")
    ),
    Shot("events-none-here", traced(journals.failing), FOUR, keys("J", "J", "4")),
    Shot("events-untraced", opened(journals.failing), FOUR, keys("J", "4")),
    Shot("events-ascii", traced(journals.failing, ascii_only=True), FOUR, keys("J", "4")),
    Shot("flags", opened(journals.flagged), FOUR),
    Shot("flags-quarantined", opened(journals.flagged), FOUR, keys("J")),
    Shot(
        "flags-left-behind", opened(journals.flagged), FOUR, keys("slash", *"flag:leaks", "enter", "j", "1")
    ),
    Shot("flags-ascii", opened(journals.flagged, ascii_only=True), FOUR),
    Shot("green", opened(journals.green), FOUR),
    Shot("green-not-run", opened(journals.green), FOUR, keys("0")),
    Shot("launch-failure", opened(journals.launch_failure), FOUR),
    Shot("service-unwell", opened(journals.service_unwell), FOUR, keys("enter")),
    Shot("service-unwell-env", opened(journals.service_unwell), FOUR, keys("6", "tab")),
    Shot("disk-full", disk_full),
    Shot("disk-full-live", disk_full_live),
    Shot("disk-full-run", disk_full, FOUR, keys("0", "tab")),
    Shot("collection-error", opened(journals.collection_error), FOUR),
    Shot("found", found(journals.discovered), FOUR),
    Shot("nothing-found", found(journals.nothing_found), FOUR),
    Shot("discovering", discovering, FOUR),
    Shot("trust", untrusted, FOUR),
    Shot("refused", refused, FOUR),
    Shot("lost", lost, FOUR),
    Shot("reconnecting", reconnecting, FOUR),
    Shot("resumed", resumed, FOUR),
    Shot("filter", opened(journals.failing), FOUR, keys("slash", *"limit")),
    Shot("marked", opened(journals.failing), FOUR, keys("J", "m", "m")),
    Shot("rerun", rerun, FOUR, rerun_failed),
    Shot("live-here", live_here, FOUR),
    Shot("help", opened(journals.failing), FOUR, keys("question_mark")),
    Shot("palette", opened(journals.failing), FOUR, keys("colon", *"fail")),
    Shot("cancel", opened(journals.running), FOUR, keys("X")),
    Shot("environments", environments, FOUR, keys("e", "j")),
    Shot("ask-passphrase", opened(journals.failing), FOUR, asked(PASSPHRASE, *"hunter2")),
    Shot("ask-over", opened(journals.failing), FOUR, given_up),
    Shot("ask-factor", opened(journals.failing), FOUR, asked(FACTOR, *"271828")),
    Shot("host-key-unknown", opened(journals.failing), FOUR, asked(UNKNOWN)),
    Shot("host-key-changed", changed, FOUR),
    Shot("host-key-revoked", revoked, FOUR),
    Shot("quit-live", opened(journals.running), FOUR, keys("q")),
    *PAST,
)
