"""Starts the probe inside pytest: decides what this process is, and registers the parts it needs.

A process is one of three: it runs tests (alone or as an xdist worker), it only collects, or it directs xdist
workers and tells nothing but the beginning and the end. Without a spool in the environment none of this happens.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Iterator, List, Optional

import pytest

from _tkprobe import heap, tracing
from _tkprobe.apart import matcher
from _tkprobe.at_once import bound
from _tkprobe.capture import Capture, own_streams
from _tkprobe.collect import Finder, Ids, Selection
from _tkprobe.facts import Frames
from _tkprobe.failures import Failures
from _tkprobe.order import Order
from _tkprobe.recorder import Phases, Recorder, runs_tests_its_own_way
from _tkprobe.session import Collecting, Directing, Passthrough, conftest_failed
from _tkprobe.spool import Spool, quote
from _tkprobe.stalls import Stalls
from _tkprobe.ticker import FORK_WARNS, Ticker
from _tkprobe.wanted import read_attempts, read_wanted

TICK_SECONDS = 0.025


def _at_least_one(text: str) -> float:
    try:
        return max(1.0, float(text))
    except ValueError:
        return 1.0


class Settings:
    """What the adapter said in the environment, read once: tests may clear it."""

    def __init__(self, environ: Dict[str, str]) -> None:
        self.environ = environ
        self.spool = environ.get("TRACEKIT_SPOOL", "")
        self.launch = environ.get("TRACEKIT_LAUNCH", "")
        self.prefix = environ.get("TRACEKIT_PREFIX", "pytest:")
        self.mode = environ.get("TRACEKIT_MODE", "run")
        self.locals = environ.get("TRACEKIT_LOCALS", "1") != "0"
        self.only = environ.get("TRACEKIT_ONLY", "")
        self.isolate = environ.get("TRACEKIT_ISOLATE", "")
        # A counter of instructions slows the process down and the clock not at all: who counts stretches the tick.
        self.tick = TICK_SECONDS * _at_least_one(environ.get("TRACEKIT_TICK_STRETCH", ""))
        self.order = environ.get("TRACEKIT_ORDER", "")
        self.attempts = environ.get("TRACEKIT_ATTEMPTS", "")
        self.worker: Optional[str] = environ.get("PYTEST_XDIST_WORKER") or None
        self.python_why = environ.get("TRACEKIT_PYTHON_WHY", "")
        self.suite = self.prefix.rstrip(":").partition("@")[2]
        self.pid = os.getpid()


class Probe:
    """The one probe of a process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.spool = Spool(settings.spool, settings.worker or "main")
        self.stalls = Stalls(self.spool.base)
        self.base = os.getcwd()
        self.config: Any = None
        self.recorder: Optional[Recorder] = None
        self.ticker: Optional[Ticker] = None

    def start(self, config: Any) -> None:
        """At `pytest_configure`: everything that must be known before the session starts."""
        self.config = config
        settings = self.settings
        ids = Ids(settings.prefix, self.base, str(config.rootpath))
        frames = Frames(str(config.rootpath), self.base, settings.locals)
        wanted = read_wanted(settings.only)
        order = Order(ids.scenario, settings.order, wanted) if settings.order else None
        patterns = read_wanted(settings.isolate)
        apart = matcher(patterns, settings.prefix) if patterns else None
        selection: Optional[Selection] = None
        if wanted is not None or order is not None or apart is not None:
            selection = Selection(ids, wanted, order, apart)
            config.pluginmanager.register(selection, "tracekit-selection")
        collecting = Collecting(self.spool, ids, frames, settings.launch)
        collecting.selection = selection
        collecting.quiet = settings.worker not in (None, "gw0")
        collecting.worker = settings.worker is not None
        collecting.finder = Finder(self.spool, ids, settings.suite)
        collecting.suite = settings.suite
        collecting.python_why = settings.python_why
        config.pluginmanager.register(collecting, "tracekit-session")
        if directs_workers(config):
            directing = Directing(self.spool, ids, settings.launch, read_attempts(settings.attempts))
            config.pluginmanager.register(directing, "tracekit-directing")
        elif settings.mode == "run":
            self._record(config, ids, frames, collecting)
        else:
            heap.spare(config)
        collecting.at_end = self.end

    def _record(self, config: Any, ids: Ids, frames: Frames, collecting: Collecting) -> None:
        settings, spool = self.settings, self.spool
        capture = Capture(spool.lock)
        recorder = Recorder(spool, capture, Failures(spool, frames), settings.launch, settings.worker)
        recorder.scenario_of = ids.scenario
        recorder.attempts.update(
            (quote(scenario), count) for scenario, count in read_attempts(settings.attempts).items()
        )
        recorder.leaks.worth_telling *= settings.tick / TICK_SECONDS
        recorder.trace = tracing.start(settings.environ, self.untraced)
        if recorder.trace is not None and recorder.trace.settings.level == "calls":
            tracing.children_too()
        capture.sink = recorder.output
        self.recorder = collecting.recorder = recorder
        self.stalls.end_test = recorder.end_test
        recorder.ask_again = self.stalls.ask_again
        capture.attach(config.pluginmanager.getplugin("capturemanager"), spool.base + ".held")
        config.pluginmanager.register(recorder, "tracekit-recorder")
        config.pluginmanager.register(recorder.steps, "tracekit-steps")
        if capture.passthrough or runs_tests_its_own_way(config):
            config.pluginmanager.register(Phases(recorder), "tracekit-phases")
        if capture.passthrough:
            config.pluginmanager.register(Passthrough(recorder, own_streams()), "tracekit-passthrough")
        self.ticker = Ticker(self._tick, settings.tick)
        recorder.wake = self.ticker.start
        self.ticker.start()
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child
        )

    def untraced(self, why: str) -> None:
        self.spool.add(f'"gap","what":"trace","count":1,"why":{quote(why)}')

    def _tick(self) -> None:
        if self.recorder is not None:
            self.recorder.tick()
        self.stalls.look()

    def _before_fork(self) -> None:
        if self.ticker is not None and FORK_WARNS:
            self.ticker.stop(wait=True)
            if self.recorder is not None:
                self.recorder.asleep = True
        self.spool.lock.acquire()

    def _after_fork(self) -> None:
        self.spool.lock.release()

    def _in_child(self) -> None:
        self.spool.lock.release()
        self.spool.child()
        if self.ticker is not None:
            self.ticker.forget()
        if self.recorder is not None:
            self.recorder.off = True
            self.recorder.capture.off = True
            if self.recorder.trace is not None:
                self.recorder.trace.forked(self.settings.pid)

    def end(self) -> None:
        if self.ticker is not None:
            self.ticker.stop()
        if self.recorder is not None:
            self.recorder.ended = True
            if self.recorder.trace is not None:
                self.recorder.trace.close()
        self.spool.flush()


def directs_workers(config: Any) -> bool:
    """Whether this is xdist's controller, whose workers tell their own results."""
    option = config.option
    if hasattr(config, "workerinput") or getattr(option, "collectonly", False):
        return False
    return getattr(option, "dist", "no") != "no" and bool(getattr(option, "tx", None))


SETTINGS = Settings(dict(os.environ))
PROBES: List[Probe] = []


def hide_from_children() -> None:
    """Take the probe's directory out of PYTHONPATH again: Python children of the tests must start as ever."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if here in paths:
        paths.remove(here)
        if any(paths):
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        else:
            del os.environ["PYTHONPATH"]


def probe() -> Optional[Probe]:
    """The probe of this process, made on first need; None without a spool or in a forked child."""
    if not PROBES and SETTINGS.spool and SETTINGS.pid == os.getpid():
        PROBES.append(Probe(SETTINGS))
        hide_from_children()
    return PROBES[0] if PROBES else None


@pytest.hookimpl(hookwrapper=True)
def load_initial_conftests(early_config: Any, args: List[str]) -> Iterator[None]:
    """Around the loading of the first conftest files: one that raises ends pytest before any session begins."""
    active = probe()
    if active is not None:
        version = sys.version.split()[0]
        active.spool.add_now(
            f'"process.spawned","pid":{os.getpid()},"role":"{active.spool.role}","python":"{version}"'
            f"{active.stalls.told() if SETTINGS.mode == 'run' else ''}"
        )
        bound(early_config, args, SETTINGS.environ)
    outcome = yield
    excinfo = outcome.excinfo  # type: ignore[attr-defined]
    if active is not None and excinfo is not None:
        conftest_failed(active.spool, SETTINGS.suite, str(getattr(early_config, "rootpath", "")), excinfo[1])


def start(config: Any) -> None:
    active = probe()
    if active is None or active.config is not None:
        return
    try:
        active.start(config)
    except Exception as error:
        active.spool.add_now(f'"gap","what":"probe","count":1,"why":"{type(error).__name__}"')
