"""`python -m _tkprobe.unittest_main PATH…`: runs unittest tests as `python -m unittest` would, and tells them.

It never needs pytest. Paths are directories to discover in, files, or dotted names; every other argument is unittest's
own. Without a spool in the environment it is `python -m unittest` and nothing more.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import re
import sys
import unittest
from typing import Any, Dict, List, Optional, Tuple

from _tkprobe import tracing
from _tkprobe.apart import matcher
from _tkprobe.facts import Frames, cut, message_of
from _tkprobe.order import ordered
from _tkprobe.spool import Spool, fields, move_up, quote
from _tkprobe.stalls import Stalls
from _tkprobe.ticker import FORK_WARNS, Ticker
from _tkprobe.unittest_ids import Names, import_failure, tests_of
from _tkprobe.unittest_result import Recorder, recording_result
from _tkprobe.wanted import read_attempts, read_wanted

TICK_SECONDS = 0.025
NO_TESTS = 5
DOC_LIMIT = 400


class Main:
    """One run of a project's tests."""

    def __init__(self, environ: Dict[str, str]) -> None:
        self.launch = environ.get("TRACEKIT_LAUNCH", "")
        self.prefix = environ.get("TRACEKIT_PREFIX", "unittest:")
        self.discovers = environ.get("TRACEKIT_MODE", "run") == "discover"
        self.order = environ.get("TRACEKIT_ORDER", "")
        self.wanted = read_wanted(environ.get("TRACEKIT_ONLY"))
        patterns = read_wanted(environ.get("TRACEKIT_ISOLATE"))
        self.apart = matcher(patterns, self.prefix) if patterns else None
        self.attempts = read_attempts(environ.get("TRACEKIT_ATTEMPTS", ""))
        self.why = environ.get("TRACEKIT_PYTHON_WHY", "")
        self.suite = self.prefix.rstrip(":").partition("@")[2]
        self.base = os.getcwd()
        self.environ = environ
        self.spool = Spool(environ["TRACEKIT_SPOOL"], "main")
        self.stalls = Stalls(self.spool.base)
        self.names = Names(self.prefix, self.base)
        self.frames = Frames(self.base, self.base, environ.get("TRACEKIT_LOCALS", "1") != "0")
        self.broken = 0

    def run(self, arguments: List[str]) -> int:
        version = platform.python_version()
        told = "" if self.discovers else self.stalls.told()
        self.spool.add_now(f'"process.spawned","pid":{os.getpid()},"role":"main","python":"{version}"{told}')
        program, paths = parsed(arguments)
        collected = self._collect(paths or ["."], program)
        kept, aside = self._parted(collected)
        self._tell(collected, aside)
        if self.discovers:
            return self._ended(0 if collected.countTestCases() else NO_TESTS, "")
        return self._run(kept, program)

    def _collect(self, paths: List[str], program: Any) -> unittest.TestSuite:
        whole = unittest.TestSuite()
        for path in paths:
            # Tests may look at what unittest itself loads by. It keeps the top directory of its first discovery, which
            # is no other path's.
            loader: Any = unittest.defaultTestLoader
            loader._top_level_dir = None  # noqa: SLF001 - as a loader of its own has it
            if program.testNamePatterns:
                loader.testNamePatterns = program.testNamePatterns
            whole.addTests(loaded(loader, path, program, self.base))
        for test in tests_of(whole):
            failure = import_failure(test)
            if failure is not None:
                self._not_collected(*failure)
        if self.wanted is not None or self.order:
            return self._chosen(whole)
        return whole

    def _not_collected(self, name: str, error: BaseException) -> None:
        text = message_of(error)
        file = self._broken_file(name, text)
        if self.wanted is not None and not any(
            one.startswith(f"{self.prefix}{file}::") for one in self.wanted
        ):
            return  # told by the launch that was asked for everything
        self.broken += 1
        # unittest keeps the text of what was raised, and not the exception.
        message = text.strip().rpartition("\n")[2]
        missing = re.match(r"ModuleNotFoundError: No module named '([^'.]+)", message)
        remedy = f"run `{sys.executable} -m unittest {name}` to see it alone"
        if missing:
            package = missing.group(1)
            remedy = (
                f"install the package that provides {package!r} for {sys.executable}, or correct the import"
            )
        told: Dict[str, object] = {
            "suite": self.suite,
            "file": file,
            "message": cut(message, 2000),
            "detail": cut(text, 64 * 1024),
            "remedy": remedy,
        }
        self.spool.add_now(f'"discover.failed",{fields(told)}')

    def _broken_file(self, name: str, text: str) -> str:
        """The file of a module that could not be loaded: the last one of its name in the traceback, or by its name."""
        ending = name.replace(".", os.sep) + ".py"
        for path in reversed(re.findall(r'File "([^"\n]+)", line', text)):
            if path.endswith(os.sep + ending):
                return os.path.relpath(path, self.base).replace(os.sep, "/")
        return ending.replace(os.sep, "/")

    def _chosen(self, whole: unittest.TestSuite) -> unittest.TestSuite:
        """The wanted tests in their order; classes that stay together keep their fixtures."""
        tests = [test for test in tests_of(whole) if import_failure(test) is None]
        names = [self.names.scenario(test) for test in tests]
        wanted = set(names if self.wanted is None else self.wanted)
        kept = [place for place, name in enumerate(names) if name in wanted]
        places = ordered([names[place] for place in kept], self.order, self.wanted)
        return unittest.TestSuite(tests[kept[place]] for place in places)

    def _parted(self, collected: unittest.TestSuite) -> Tuple[unittest.TestSuite, Dict[str, str]]:
        """What this process runs, and what is left for one of its own, with the pattern that each fits."""
        if self.apart is None:
            return collected, {}
        kept: List[Any] = []
        aside: Dict[str, str] = {}
        for test in tests_of(collected):
            name = self.names.scenario(test)
            pattern = self.apart(name) if import_failure(test) is None else None
            if pattern is None:
                kept.append(test)
            else:
                aside[name] = pattern
        return (unittest.TestSuite(kept), aside) if aside else (collected, aside)

    def _tell(self, collected: unittest.TestSuite, aside: Dict[str, str]) -> None:
        told: Dict[str, object] = {
            "suite": self.suite,
            "runner": "unittest",
            "root": self.base,
            "python": sys.executable,
            "python_why": self.why,
            "python_version": platform.python_version(),
            "framework": f"unittest {platform.python_version()}",
            "count": collected.countTestCases(),
            "launch": self.launch,
        }
        self.spool.add(f'"suite.found",{fields(told)}')
        for test in tests_of(collected):
            if import_failure(test) is not None:
                continue
            file, line, path, doc = self.names.place(test)
            joined = ",".join(quote(part) for part in path)
            shown = quote(cut(doc.strip(), DOC_LIMIT)) if doc else "null"
            name = self.names.scenario(test)
            isolate = f',"isolate":{quote(aside[name])}' if name in aside else ""
            self.spool.add(
                f'"scenario.found","scenario":{quote(name)},"suite":{quote(self.suite)},"runner":"unittest",'
                f'"path":[{joined}],"file":{quote(file)},"line":{line},"tags":[],"doc":{shown}{isolate}'
            )
        self.spool.flush()

    def _run(self, collected: unittest.TestSuite, program: Any) -> int:
        recorder = Recorder(self.spool, self.frames, self.names, self.launch, self.attempts)
        self.stalls.end_test, recorder.ask_again = recorder.end_test, self.stalls.ask_again

        def tick() -> None:
            recorder.tick()
            self.stalls.look()

        ticker = Ticker(tick, TICK_SECONDS)
        recorder.trace = tracing.start(self.environ, self._untraced)
        if recorder.trace is not None and recorder.trace.settings.level == "calls":
            tracing.children_too()
        self._mind_forks(recorder, ticker)
        ticker.start()
        stream = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
        _tell_deaths()
        options: Dict[str, Any] = {
            "verbosity": program.verbosity,
            "failfast": program.failfast,
            "buffer": program.buffer,
            "stream": stream,
            "resultclass": recording_result(recorder),
        }
        for name in ("tb_locals", "durations"):
            if getattr(program, name, None):
                options[name] = getattr(program, name)
        interrupted = False
        result: Optional[unittest.TestResult] = None
        try:
            result = unittest.TextTestRunner(**options).run(collected)
        except KeyboardInterrupt:
            interrupted = True
            recorder.interrupted("cancelled", "KeyboardInterrupt")
        finally:
            ticker.stop()
            recorder.close()
            if recorder.trace is not None:
                recorder.trace.close()
        if interrupted or result is None:
            return self._ended(2, "KeyboardInterrupt")
        status = 0 if result.wasSuccessful() else 1
        if not collected.countTestCases() and not self.broken:
            status = NO_TESTS
        return self._ended(status, "failfast" if result.shouldStop else "")

    def _untraced(self, why: str) -> None:
        self.spool.add(f'"gap","what":"trace","count":1,"why":{quote(why)}')

    def _mind_forks(self, recorder: Recorder, ticker: Ticker) -> None:
        lock = self.spool.lock

        def before() -> None:
            if FORK_WARNS:
                ticker.stop(wait=True)
            lock.acquire()

        def in_child() -> None:
            lock.release()
            self.spool.child()
            ticker.forget()
            recorder.off = True
            if recorder.trace is not None:
                recorder.trace.forked(self.spool.pid)

        def in_parent() -> None:
            lock.release()
            if FORK_WARNS:
                ticker.start()

        os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)

    def _ended(self, status: int, reason: str) -> int:
        if self.spool.pid == os.getpid():
            self.spool.add_now(f'"session.ended","exitstatus":{status},"reason":{quote(reason)}')
        return status


class _Program(unittest.TestProgram):
    """Reads unittest's own arguments and does nothing with them."""

    pattern = "test*.py"
    start: Optional[str] = None
    top: Optional[str] = None

    def __init__(self, arguments: List[str]) -> None:
        self.given: List[str] = []
        super().__init__(module=None, argv=["python -m unittest", *arguments])

    def parseArgs(self, argv: List[str]) -> None:  # noqa: N802 - unittest's name
        words = argv[1:]
        if words[:1] == ["discover"]:
            del words[0]
        inner: Any = self
        inner._initArgParsers()  # noqa: SLF001 - no other way to unittest's own options
        parser: Any = inner._main_parser  # noqa: SLF001
        parser.add_argument("-s", "--start-directory", dest="start")
        parser.add_argument("-p", "--pattern", dest="pattern")
        parser.add_argument("-t", "--top-level-directory", dest="top")
        parser.parse_args(words, self)
        self.given = [str(name) for name in (inner.tests or ())]

    def runTests(self) -> None:  # noqa: N802 - unittest's name
        """Not here: the runner is made by `Main`."""


def _tell_deaths() -> None:
    """Where a test takes its process down, the interpreter says so on the launch's own standard error.

    What is captured of the test is somewhere else by then.
    """
    try:
        faulthandler.enable(file=move_up(os.dup(2)))
    except (OSError, RuntimeError, ValueError, AttributeError):
        return  # then its death is told without its stack


def parsed(arguments: List[str]) -> Any:
    """Unittest's options, and the paths to look for tests in."""
    program = _Program(arguments)
    if program.catchbreak:
        unittest.installHandler()
    paths = ([program.start] if program.start else []) + program.given
    return program, paths


def loaded(loader: unittest.TestLoader, path: str, program: Any, base: str) -> unittest.TestSuite:
    """The tests of one path, loaded as unittest does."""
    pattern = program.pattern or "test*.py"
    absolute = os.path.join(base, path)
    if os.path.isdir(absolute):
        return loader.discover(path, pattern, program.top or top_of(absolute, base))
    if os.path.isfile(absolute):
        folder, name = os.path.split(absolute)
        return loader.discover(folder, name, program.top or top_of(folder, base))
    return loader.loadTestsFromNames([path])


def top_of(folder: str, base: str) -> Optional[str]:
    """A package is imported by its whole name, from the suite's directory; anything else from itself."""
    inside = os.path.realpath(folder).startswith(os.path.realpath(base) + os.sep)
    return base if inside and os.path.isfile(os.path.join(folder, "__init__.py")) else None


def main() -> int:
    environ = dict(os.environ)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path != here]
    # Python children of the tests must start as ever.
    os.environ.pop("PYTHONPATH", None)
    if any(paths):
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:] = [path for path in sys.path if path != here]
    if not environ.get("TRACEKIT_SPOOL"):
        unittest.main(module=None, argv=["python -m unittest", *sys.argv[1:]])
        return 0
    return Main(environ).run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
