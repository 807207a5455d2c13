"""The tracer inside a test process: loads the library that the agent names, marks scenarios, and opens event sources.

Whatever is missing (the library, a version of Python it knows, room for its files) costs events and is told once; tests
run the same. Nothing here raises, and a mark costs less than a microsecond.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

OLDEST, NEWEST = (3, 9), (3, 13)
MONITORED = (3, 12)
FRAMES_OF = (3, 11)
#: Ids of `sys.monitoring` that are nobody's by convention.
TOOL_IDS = (4, 3)
NAME = "tracekit"
SCENARIO, STEP_START, STEP_END, PROCESS = 16, 18, 19, 22
ENDS = True
#: Loaded libraries and what they said, by path: one a process.
LOADED: Dict[str, Any] = {}


class Missing(Exception):  # noqa: N818 - no error: a fact that is told
    """Why nothing, or not everything, is traced."""


def unfit() -> str:
    """Why this interpreter is none that the library knows, or nothing."""
    version = sys.version_info[:2]
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} is not traced"
    if version < OLDEST:
        return "Python {}.{} is older than the tracer knows".format(*version)
    if version > NEWEST:
        return "Python {}.{} is newer than the tracer knows".format(*version)
    if hasattr(sys, "getobjects") or "t" in getattr(sys, "abiflags", ""):
        return "this build of Python lays its objects out in another way"
    return ""


def load(path: str) -> Any:
    """The library as a module; raises `Missing`."""
    if path in LOADED:
        return LOADED[path]
    why = unfit()
    if why:
        raise Missing(why)
    if not os.path.isfile(path):
        raise Missing("there is no tracer for this machine")
    try:
        from importlib.machinery import ExtensionFileLoader
        from importlib.util import module_from_spec, spec_from_loader

        spec = spec_from_loader("_tkbox", ExtensionFileLoader("_tkbox", path))
        if spec is None:
            raise Missing("the tracer cannot be loaded")
        # Not in sys.modules: tests that look there see what they always saw.
        box = module_from_spec(spec)
        sys.modules.pop("_tkbox", None)
    except (ImportError, SystemError, OSError) as error:
        raise Missing(f"the tracer cannot be loaded: {error}") from None
    LOADED[path] = box
    return box


class Settings:
    """What the adapter said in the environment."""

    def __init__(self, environ: Dict[str, str]) -> None:
        self.level = environ.get("TRACEKIT_TRACE", "off")
        self.library = environ.get("TRACEKIT_BOX", "")
        self.rings = environ.get("TRACEKIT_RINGS", "")
        self.sizes: List[int] = [0, 0, 0, 0]
        self.roots: List[str] = []
        self.include: List[str] = []
        self.exclude: List[str] = []
        try:
            told = json.loads(environ.get("TRACEKIT_TRACE_RULES", "{}"))
            self.sizes = [int(told.get(name, 0)) for name in ("calls", "durable", "process", "run")]
            self.roots = [str(path) for path in told.get("roots", ())]
            self.include = [rule(name) for name in told.get("include", ())]
            self.exclude = [rule(name) for name in told.get("exclude", ())]
        except (ValueError, TypeError, AttributeError):
            pass

    @property
    def on(self) -> bool:
        return self.level in ("default", "calls") and bool(self.rings)


def rule(package: object) -> str:
    """A package by its name as a part of paths."""
    return str(package).replace(".", "/").strip("/")


class Tracer:
    """What this process records. `say` takes what is missing, in words."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.box = load(settings.library)
        self.settings = settings
        self.say = say
        self.known: Dict[str, int] = {}
        self.logging: Any = None
        self.tool = -1
        self.scenario = 0
        # Before anything is recorded: a thread is asked for its name once.
        self.box.watch_threads(getattr(threading, "_active", {}))
        try:
            self.box.open(settings.rings, settings.level == "calls", *settings.sizes)
        except (OSError, ValueError) as error:
            raise Missing(str(error)) from None
        self._mark = self.box.mark
        self._scenario = self.box.scenario
        self._turn = self.box.turn
        #: What is told when a phase ends so: itself, its outcome, what follows.
        self.turns: Dict[Tuple[str, str], Tuple[int, int, int]] = {}
        self.setup = self.text("setup")
        self.watch_logs()
        #: What is told of within a scenario alone, and begins with the first: importing and collecting pay nothing.
        self.later: List[Callable[[], None]] = [self._audit]
        self._begin(self._monitor)

    # -- sources

    def _begin(self, source: Callable[[], None]) -> None:
        try:
            source()
        except Missing as missing:
            self.say(str(missing))
        except Exception as error:
            self.say(f"{type(error).__name__}: {error}")

    def listen(self) -> None:
        """A scenario begins, or was inherited: what waited for the first one begins."""
        later, self.later = self.later, []
        for source in later:
            self._begin(source)

    def watch_logs(self) -> None:
        """Stand before the handlers of loggers, once the program has a `logging`."""
        module: Any = sys.modules.get("logging")
        if self.logging is not None or module is None:
            return
        try:
            logger = module.Logger
            logger.callHandlers = self.box.watch_logs(logger.callHandlers)
            self.logging = module
        except Exception as error:
            self.say(f"logs are not traced: {error}")
            self.logging = False

    def _audit(self) -> None:
        rings = os.path.dirname(os.path.abspath(self.settings.rings))
        try:
            self.box.watch_audit([rings + os.sep])
        except OSError as error:
            raise Missing(f"audit events are not traced: {error}") from None

    def _monitor(self) -> None:
        calls = self.settings.level == "calls"
        if sys.version_info[:2] >= MONITORED:
            self._use_monitoring(calls)
        elif calls and sys.version_info[:2] == FRAMES_OF:
            self._choose(None)
            try:
                self.box.hook_frames(_sample)
            except OSError as error:
                raise Missing(f"calls are not traced: {error}") from None
        elif calls:
            raise Missing("calls are traced from Python 3.11 on")

    def _use_monitoring(self, calls: bool) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        for tool in TOOL_IDS:
            try:
                monitoring.use_tool_id(tool, NAME)
            except ValueError:
                continue
            self.tool = tool
            break
        else:
            what = "calls and exceptions" if calls else "exceptions before a report"
            raise Missing(f"{what} are not traced: other tools hold the ids {TOOL_IDS[1]} and {TOOL_IDS[0]}")
        events = monitoring.events
        box = self.box
        wanted: List[Tuple[int, Any]] = [(events.RAISE, box.raised)]
        settings = self.settings
        library = os.path.dirname(os.path.abspath(os.__file__))
        box.choose_raised(settings.roots, settings.include, [library])
        if calls:
            self._choose(monitoring.DISABLE)
            wanted += [
                (events.PY_START, box.call_started),
                (events.PY_RESUME, box.call_resumed),
                (events.PY_THROW, box.call_resumed),
                (events.PY_RETURN, box.call_ended),
                (events.PY_YIELD, box.call_ended),
                (events.PY_UNWIND, box.call_unwound),
            ]
        chosen = 0
        for event, callback in wanted:
            monitoring.register_callback(self.tool, event, callback)
            chosen |= event

        def turn_on() -> None:
            if self.tool >= 0 and monitoring.get_tool(self.tool) == NAME:
                monitoring.set_events(self.tool, chosen)

        if calls:
            turn_on()
        else:
            self.later.append(turn_on)

    def _choose(self, disable: Any) -> None:
        settings = self.settings
        self.box.choose_calls(disable, settings.roots, settings.include, settings.exclude)

    # -- marks

    def text(self, words: str) -> int:
        number = self.known.get(words)
        if number is None:
            number = self.known[words] = self.box.text(words)
        return number

    def begin(self, scenario: str, attempt: int) -> None:
        """A scenario begins, named as JSON text."""
        number = self.known.get(scenario)
        if number is None:
            number = self.known[scenario] = self.box.text(json.loads(scenario))
        if self.logging is None:
            self.watch_logs()
        if self.later:
            self.listen()
        self.scenario = number
        self._scenario(number, attempt)

    def phases(self) -> None:
        """The first phase of a scenario begins."""
        self._turn(0, 0, self.setup)

    def phase(self, when: str, outcome: str) -> None:
        """A phase is over, and the next one begins."""
        told = self.turns.get((when, outcome))
        if told is None:
            following = "call" if when == "setup" and outcome == "passed" else "teardown"
            after = 0 if when == "teardown" else self.text(following)
            told = self.turns[when, outcome] = (self.text(when), self.text(outcome), after)
        self._turn(*told)

    def end(self, verdict: str) -> None:
        self._scenario(self.scenario, self.text(verdict), ENDS)

    def step(self, name: str, kind: str) -> None:
        self._mark(STEP_START, self.text(name), self.text(kind), 0)

    def step_ended(self, name: str, verdict: str) -> None:
        self._mark(STEP_END, self.text(name), self.text(verdict), 0)

    def exception(self, error: BaseException) -> None:
        """What ended a phase of a test, from its report."""
        file, line = "", 0
        traceback = error.__traceback__
        while traceback is not None:
            file, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            traceback = traceback.tb_next
        try:
            words = str(error)
        except Exception:
            words = ""
        self.box.exception(type(error).__name__, words, file, line)

    def forked(self, parent: int) -> None:
        """In a child that was made by a fork: it has rings of its own from its first record on."""
        self._mark(PROCESS, self.text("forked"), parent, 0)

    def close(self) -> None:
        """The session is over. Sources that can be taken back are; what comes behind is still recorded."""
        if self.tool >= 0:
            monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
            tool, self.tool = self.tool, -1
            if monitoring.get_tool(tool) != NAME:
                # What is tested freed it, or gave it to another: it is not ours to turn off.
                self.say("not traced to the end: what is tested took the id of the tracer in sys.monitoring")
                return
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        elif sys.version_info[:2] == FRAMES_OF:
            self.box.unhook_frames()


def _sample() -> None:
    """Called once by the library, to see that frames are what it takes them for."""


def start_child(environ: Dict[str, str]) -> Optional[Tracer]:
    """The tracer of a Python process that a traced one started: it is in that one's scenario. Nobody is told what is
    missing here: a child has no spool.
    """
    tracer = start(environ, lambda _why: None)
    if tracer is not None:
        if tracer.box.inherit(tracer.settings.rings):
            tracer.listen()
        tracer.box.mark(PROCESS, tracer.text("started"), os.getppid(), 0)
        if tracer.logging is None:
            _when_logging(tracer)
    return tracer


def _when_logging(tracer: Tracer) -> None:
    """Logs are watched as soon as the program imports `logging`, and it is imported only then."""

    class Finder:
        @staticmethod
        def find_spec(name: str, _path: Any = None, _target: Any = None) -> Any:
            if name != "logging" or Finder not in sys.meta_path:
                return None
            sys.meta_path.remove(Finder)
            from importlib.util import find_spec

            spec: Any = find_spec(name)
            if spec is None or spec.loader is None:
                return spec
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                tracer.watch_logs()

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)


def children_too() -> None:
    """Python processes that are started from here begin with a folder on their path that holds our start alone."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
    known = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = folder + (os.pathsep + known if known else "")


def start(environ: Dict[str, str], say: Callable[[str], None]) -> Optional[Tracer]:
    """The tracer of this process; None where none is wanted, or none is possible, which is told."""
    settings = Settings(environ)
    if not settings.on:
        return None
    try:
        return Tracer(settings, say)
    except Missing as missing:
        say(str(missing))
    except Exception as error:
        say(f"{type(error).__name__}: {error}")
    return None
