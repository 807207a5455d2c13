"""Recorded runs for tests of whoever reads runs: realistic ones of a sample project, as journals."""

from __future__ import annotations

from tests.support.journal import BEGAN, MS, ROOT, RUN, SECOND, Journal, frame, raised
from tracekit.engine.past import Before, Difference, story_of
from tracekit.model.results import Result
from tracekit.store.catalogue import RunSummary, Verdict
from tracekit.store.sources import Changed

__all__ = ["BEGAN", "MS", "ROOT", "RUN", "SECOND", "Journal", "frame", "raised"]


def _chat(journal: Journal) -> dict[str, str]:
    """The scenarios of the sample project."""
    ws, rooms, auth = "chat/test_ws.py", "chat/test_rooms.py", "auth/test_tokens.py"
    found = journal.found
    return {
        "keeps": found(
            ws,
            "test_reconnect_keeps_history",
            line=41,
            tags=["slow"],
            doc="A client that loses its link gets every message it missed, once, in order.",
        ),
        "bad_key": found(ws, "test_handshake_with_a_bad_key_is_refused", line=17),
        "many": found(ws, "test_1000_clients", line=88, tags=["slow", "load"]),
        "ping": found(ws, "test_ping_is_answered", line=120),
        "join": found(rooms, "TestJoin", "test_join_twice", line=12),
        "leave": found(rooms, "TestJoin", "test_leave_without_joining", line=23),
        "limit_10": found(rooms, "TestLimits", "test_limit[10]", line=40),
        "limit_100": found(rooms, "TestLimits", "test_limit[100]", line=40),
        "limit_1000": found(rooms, "TestLimits", "test_limit[1000]", line=40),
        "history": found(rooms, "test_history_is_paged", line=66, doc="Pages of 50, newest first."),
        "expired": found(auth, "test_expired_token_is_refused", line=9),
        "rotated": found(auth, "test_rotated_key_still_verifies", line=31),
        "clock": found(auth, "test_clock_skew", line=52),
    }


def _pool_failure(journal: Journal, scenario: str, client: str) -> None:
    journal.fails(
        scenario,
        [
            raised(
                "PoolExhausted",
                "no connection within 5.0 s (3 of 3 in use)",
                [
                    frame(
                        "chat/test_rooms.py",
                        44,
                        "test_limit",
                        "room.join(client)",
                        room="<Room 'lobby' members=3>",
                        client=client,
                    ),
                    frame(
                        "chat/rooms.py",
                        71,
                        "join",
                        "with self.pool.acquire(timeout=5.0) as link:",
                        self="<Room 'lobby' members=3>",
                        timeout="5.0",
                    ),
                    frame(
                        "/usr/lib/python3.12/site-packages/pool/core.py",
                        210,
                        "acquire",
                        "raise PoolExhausted(self)",
                        own=False,
                    ),
                ],
                module="pool",
            ),
            raised(
                "TimeoutError",
                "timed out",
                [
                    frame(
                        "/usr/lib/python3.12/threading.py",
                        355,
                        "wait",
                        "gotit = waiter.acquire(True, timeout)",
                        own=False,
                    )
                ],
                relation="cause",
            ),
        ],
    )


def _history_failure(journal: Journal, scenario: str) -> None:
    journal.begin(scenario)
    journal.step(scenario, "fixture:server#1", "fixture", "server", "passed", 104)
    journal.prints("connecting to 127.0.0.1:8431\n", scenario)
    journal.step(scenario, "step#1", "step", "connect", "passed", 12)
    journal.prints("sent 1000, waiting for acks\n", scenario)
    journal.prints("WARN  writer-3 pool.acquire slow 4967us\n", scenario, stream="stderr")
    journal.step(scenario, "step#2", "step", "send 1000", "failed", 2100)
    diff = "  [\n    'm-0996',\n-   'm-0997',\n-   'm-0998',\n-   'm-0999',\n+   'm-1000',\n  ]"
    journal.asserts(scenario, "997", "1000", diff, file="chat/test_ws.py", line=58)
    journal.fails(
        scenario,
        [
            raised(
                "AssertionError",
                "assert 997 == 1000",
                [
                    frame(
                        "chat/test_ws.py",
                        58,
                        "test_reconnect_keeps_history",
                        "assert received == 1000",
                        received="997",
                        sent="1000",
                        client="<Client #7 reconnected=1>",
                    ),
                ],
            )
        ],
        "assertion",
    )
    journal.step(scenario, "fixture:server#1:end", "cleanup", "cleanup", "passed", 31)
    journal.end(scenario, "failed", 2_410, cause="assertion", stepped=True)


def failing() -> Journal:
    """An ended run: two causes in three reds, sub-tests, skips, a warning."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    journal.prints("plugins: xdist-3.8.0, anyio-4.16.0\n")
    journal.wait(400)
    _history_failure(journal, ids["keeps"])
    journal.passes(ids["bad_key"], 80)
    journal.passes(ids["many"], 14_230)
    journal.begin(ids["ping"])
    journal.end(ids["ping"], "skipped", 1, reason="needs redis: refused")
    journal.passes(ids["join"], 45)
    journal.passes(ids["leave"], 38)
    journal.passes(ids["limit_10"], 210)
    for name in ("limit_100", "limit_1000"):
        journal.begin(ids[name])
        journal.prints(f"filling room lobby: {name}\n", ids[name])
        _pool_failure(journal, ids[name], "<Client #" + name[6:] + ">")
        journal.end(ids[name], "failed", 5_020, cause="exception")
    _subtests(journal, ids["history"])
    journal.passes(ids["expired"], 12)
    journal.passes(ids["rotated"], 19)
    journal.begin(ids["clock"])
    journal.end(ids["clock"], "xfailed", 7, reason="skew of 30 s is accepted for now")
    journal.line(
        "warning",
        message="loop_scope is not set",
        category="PytestDeprecationWarning",
        file="conftest.py",
        line=3,
    )
    journal.finish()
    return journal


def _subtests(journal: Journal, scenario: str) -> None:
    journal.begin(scenario)
    for label in ("[first page]", "[second page]", "[past the end]"):
        below = f"{scenario} ▸ {label}"
        journal.begin(below, parent=scenario)
        journal.end(below, "passed", 9, parent=scenario)
    journal.end(scenario, "passed", 61, subtests={"passed": 3, "failed": 0, "skipped": 0})


def running() -> Journal:
    """A live run: some over, one red, two running, the rest waiting."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    journal.wait(400)
    _history_failure(journal, ids["keeps"])
    journal.passes(ids["bad_key"], 80)
    journal.begin(ids["many"])
    for client in range(40):
        journal.prints(f"client {client:03d} connected\n", ids["many"])
    journal.wait(1200)
    journal.passes(ids["join"], 45)
    journal.begin(ids["leave"])
    journal.wait(300)
    return journal


#: When each attempt begins and ends, in milliseconds, and on which worker.
SPREAD = (
    ("gw0", "test_boot", 0, 900, "passed"),
    ("gw1", "test_login", 40, 2_400, "passed"),
    ("gw2", "test_search", 60, 700, "failed"),
    ("gw0", "test_cart", 910, 3_000, "passed"),
    ("gw2", "test_index", 710, 1_500, "passed"),
    ("gw2", "test_rebuild", 6_800, 9_900, "passed"),
    ("gw1", "test_logout", 2_410, 2_900, "passed"),
    ("gw0", "test_pay", 3_010, 3_900, "timedout"),
)


def spread(*, until: int = 0) -> Journal:
    """A run over three workers, of which one has nothing to do for long; until a moment, where one is given."""
    journal = Journal()
    journal.start()
    moments = []
    for worker, name, since, over, verdict in SPREAD:
        scenario = journal.found("shop/test_shop.py", name)
        moments += [(since, 1, scenario, worker, ""), (over, 0, scenario, worker, verdict)]
    began = {scenario: at for at, first, scenario, _, _ in moments if first}
    for at, first, scenario, worker, verdict in sorted(moments):
        if until and at > until:
            continue
        journal.now = int(at * MS)
        if first:
            journal.begin(scenario, worker=worker)
        else:
            took = at - began[scenario]
            journal.now -= int(took * MS)
            journal.end(scenario, verdict, took)
    if until:
        journal.now = int(until * MS)
    else:
        journal.finish()
    return journal


def green() -> Journal:
    """All green, two not run and why."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    for number, (name, scenario) in enumerate(ids.items()):
        if name not in {"clock", "ping"}:
            journal.passes(scenario, 20 + 35 * number)
    journal.finish(
        not_run=[ids["ping"], ids["clock"]], why="no longer collected: chat/test_ws.py changed during the run"
    )
    return journal


def service_unwell() -> Journal:
    """A service that the tests need did not come: nothing was run."""
    journal = Journal()
    journal.start(suites=("it",))
    why = "127.0.0.1:6390 takes no connection: Connection refused"
    journal.line("service.ready", service="log", after=0.1)
    journal.line("phase.started", phase="service", id="api", why=why, message=f"waits for service api: {why}")
    journal.line("service.unhealthy", service="api", after=30.013, why=why)
    journal.line(
        "runner.failed_to_start",
        suite=":services",
        command=[],
        exit=1,
        signal=None,
        stderr=f"service api is not well after 30.013 s: {why}",
        why="a service that the tests need is not well",
        remedy="`./serve --port 6390` starts it; start what is missing where the tests run, then run again",
        code="box.service",
    )
    journal.line(
        "suite.failed",
        suite="it",
        exit=None,
        message="not run: a service that it needs is not well",
        detail="",
        remedy="start the service, then run again",
        code="suite.blocked",
    )
    journal.finish("failed-to-start")
    return journal


def launch_failure() -> Journal:
    """The runner never started."""
    journal = Journal()
    journal.start()
    stderr = (
        "Traceback (most recent call last):\n"
        '  File "/srv/chat-server/conftest.py", line 3, in <module>\n'
        "    import redis\n"
        "ModuleNotFoundError: No module named 'redis'\n"
    )
    journal.line(
        "runner.failed_to_start",
        suite="",
        command=["python3.12", "-m", "pytest", "-p", "_tkprobe", "tests"],
        exit=4,
        signal=None,
        stderr=stderr,
        remedy="install redis into python3.12, or set python in tracekit.toml",
        code="launch.plugin",
    )
    journal.finish("failed-to-start")
    return journal


def collection_error() -> Journal:
    """One file cannot be imported; the others run."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    chain = [
        raised(
            "ModuleNotFoundError",
            "No module named 'redis'",
            [frame("chat/test_presence.py", 4, "<module>", "import redis")],
        )
    ]
    journal.line(
        "discover.failed",
        suite="",
        file="chat/test_presence.py",
        message="could not import chat/test_presence.py",
        failure={"when": "collect", "cause": "setup", "chain": chain, "text": ""},
        remedy="install redis, then look again",
    )
    for scenario in ids.values():
        journal.passes(scenario, 25)
    journal.finish()
    return journal


def discovered() -> Journal:
    """Scenarios that were found and never run."""
    journal = Journal(run="01KAH0C5M0DEMORVND1SC0VER0")
    journal.start(mode="discover")
    _chat(journal)
    journal.finish()
    return journal


def nothing_found() -> Journal:
    """A project without scenarios."""
    journal = Journal(run="01KAH0C5M0DEMORVNN0TH1NG00")
    journal.start(mode="discover")
    journal.finish()
    return journal


def rerun_of(parent: Journal, *, verdict: str = "passed", ended: bool = True) -> Journal:
    """The reds of a run once more."""
    journal = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    journal.start(parent=parent.run)
    reds = [
        line["scenario"]
        for line in parent.lines
        if line["e"] == "attempt.ended" and line["verdict"] == "failed"
    ]
    for scenario in reds:
        file, *names = scenario.partition(":")[2].split("::")
        journal.found(file, *names, line=41)
    for scenario in reds:
        journal.begin(scenario)
        if ended:
            journal.end(scenario, verdict, 130)
    if ended:
        journal.finish()
    return journal


def large(count: int = 60_000, files: int = 600, *, ended: bool = True) -> Journal:
    """Many scenarios; every thousandth fails."""
    journal = Journal()
    journal.start()
    per_file = count // files
    ids = [
        journal.found(
            f"pkg_{file // 20:02d}/test_module_{file:04d}.py", f"test_case_{case:04d}", line=case * 5 + 1
        )
        for file in range(files)
        for case in range(per_file)
    ]
    if ended:
        for number, scenario in enumerate(ids):
            journal.begin(scenario)
            if number % 1000 == 999:
                journal.fails(
                    scenario,
                    [
                        raised(
                            "ValueError",
                            f"bad value {number}",
                            [frame("pkg/mod.py", 7, "work", "raise ValueError")],
                        )
                    ],
                )
                journal.end(scenario, "failed", 3, cause="exception")
            else:
                journal.end(scenario, "passed", 2)
        journal.finish()
    return journal


def flagged() -> Journal:
    """An ended run with things to say beside verdicts: flaky, slow, in quarantine, something left behind."""
    journal = Journal()
    entry = {
        "reason": "the pool is too small for it, CHAT-118",
        "owner": "Anna Ek",
        "since": "2025-11-01",
        "expires": "2025-12-01",
    }
    late = {
        "reason": "waits for the new clock",
        "owner": "Bo Lind",
        "since": "2025-09-01",
        "expires": "2025-10-01",
    }
    journal.start(
        slow=2.0,
        quarantine=[
            {"scenario": "pytest:chat/test_rooms.py::TestLimits::*", **entry, "expired": False},
            {"scenario": "pytest:auth/test_tokens.py::test_clock_skew", **late, "expired": True},
        ],
    )
    ids = _chat(journal)
    journal.begin(ids["ping"])
    journal.end(ids["ping"], "failed", 120)
    journal.begin(ids["ping"], attempt=2)
    journal.end(ids["ping"], "passed", 40, attempt=2)
    journal.passes(ids["many"], 2410)
    journal.begin(ids["keeps"])
    left = [
        {"kind": "process", "what": "4811", "detail": "redis-server *:6390"},
        {"kind": "port", "what": "127.0.0.1:6390", "detail": "listening"},
    ]
    journal.end(
        ids["keeps"], "passed", 310, leaks=left, rusage={"user": 0.21, "system": 0.04, "peak_kib": 48_128}
    )
    journal.begin(ids["limit_1000"])
    _pool_failure(journal, ids["limit_1000"], "'c-997'")
    journal.end(ids["limit_1000"], "failed", 5040)
    for name in (
        "bad_key",
        "join",
        "leave",
        "limit_10",
        "limit_100",
        "history",
        "expired",
        "rotated",
        "clock",
    ):
        journal.passes(ids[name], 30)
    journal.finish()
    return journal


def before() -> Before:
    """What earlier runs say of a scenario that is red now: green until the sources changed, with one flake."""
    told = []
    for back, (verdict, milliseconds, commit, flags) in enumerate(
        (
            ("failed", 2_410, "c3d4e5f", ()),
            ("failed", 2_380, "c3d4e5f", ()),
            ("passed", 1_904, "a1b2c3d", ()),
            ("passed", 2_011, "a1b2c3d", ("flaky",)),
            ("failed", 2_350, "a1b2c3d", ()),
            ("passed", 1_870, "9f8e7d6", ()),
            ("skipped", 1, "9f8e7d6", ()),
            ("passed", 1_890, "9f8e7d6", ()),
        )
    ):
        run = f"01KAH0C5M0DEMORVN0{8 - back:04d}E000" if back else RUN
        row = RunSummary(
            run_id=run,
            root=ROOT,
            profile=None,
            environment="local" if back != 6 else "box7",
            parent=None,
            started_t=BEGAN - back * 1900 * SECOND,
            ended_t=BEGAN - back * 1900 * SECOND + 17 * SECOND,
            ended=True,
            reason="finished",
            counts={},
            fingerprint=commit,
            facts={"git": {"commit": commit, "dirty": back == 1}},
        )
        result = Result("pytest:chat/test_ws.py::test_reconnect_keeps_history", verdict, milliseconds * MS)
        told.append(Verdict(row, result._replace(attempts=2 if flags else 1, flags=flags)))
    apart = (
        Difference("commit", "a1b2c3d", "c3d4e5f"),
        Difference("sources", "5e0c91aa", "77d2f3b0"),
        Difference("python", "3.11.9", "3.12.1"),
        Difference("arguments", "-q", "-q -n 4"),
    )
    files = (Changed("chat/rooms.py", "changed"), Changed("chat/writers.py", "new"))
    return Before(story_of(told[0].result.scenario, ROOT, told), told[2], apart, files)
