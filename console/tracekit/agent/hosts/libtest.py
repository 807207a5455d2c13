"""One Rust test as a job: how its program is called for it alone, and what the end of that process means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.hosts import panics
from tracekit.agent.hosts.cargo_reader import Target
from tracekit.agent.hosts.crew import End, Word
from tracekit.agent.hosts.panics import Place, Sources
from tracekit.agent.hosts.sieve import Report, Sieve

#: The status with which libtest ends when a test was red.
RED_STATUS = 101
_RESULT = b"\ntest result: "


@dataclass
class RustTest:
    """A test of one program, or with an empty name all that a program does."""

    scenario: str
    target: Target
    name: str
    path: list[str]
    file: str
    line: int
    sources: Sources
    ignored: bool = False
    more: tuple[str, ...] = ()
    _sieve: Optional[Sieve] = field(default=None, repr=False)

    @property
    def command(self) -> list[str]:
        """The program and what it is told."""
        if not self.name:
            return [self.target.program, *self.more]
        words = ["--exact", self.name, "--nocapture", *(["--ignored"] if self.ignored else ()), *self.more]
        return [self.target.program, *words]

    @property
    def cwd(self) -> str:
        return self.target.cwd

    @property
    def environ(self) -> dict[str, str]:
        return self.target.environ

    def begin(self) -> None:
        """A process of it is about to start."""
        self._sieve = Sieve(self.name) if self.name else None

    def own(self, data: bytes) -> bytes:
        """What of these bytes of standard output is the test's."""
        return self._sieve.feed(data) if self._sieve is not None else data

    def ended(self, end: End) -> tuple[bytes, Word]:
        """The rest of its standard output, and what its end means."""
        rest, report = self._sieve.finish() if self._sieve is not None else (b"", Report())
        return rest, self._word(end, report)

    def _word(self, end: End, report: Report) -> Word:
        if not report.known:
            return Word("error", "environment", f"{self.target.name} does not know this test any more")
        if end.signal is None and report.word == "ignored":
            return Word("skipped", None, report.reason)
        # Without a single word of libtest the program has words of its own, and its status is all there is to go by.
        own_words = not self.name or not report.began or (not report.word and _RESULT in end.out)
        if end.code == 0 and (own_words or report.word == "ok"):
            return Word("passed")
        # With closed standard output libtest's last words are nowhere, and its status for a red test still is.
        silent = end.signal is None and end.code == RED_STATUS and not (own_words or report.word)
        crashed = end.signal is not None or not (own_words or report.word or silent)
        text = end.err.decode("utf-8", "replace")
        place = Place(self.file, self.line, "::".join(self.path[1:]))
        told = panics.read(text, self.name or "main", place, self.sources, report.said)
        shown = "\n".join(part for part in (text, report.said) if part)[-panics.TEXT_LIMIT :]
        if crashed:
            reason = f"the test process {end.how} during the test"
            if end.code == 0:
                reason += ", or the test closed its standard output: libtest's word on it is missing"
            failure = _failure("crash", told.chain, shown) if told is not None else None
            return Word("crashed", "crash", reason, failure, told.assertion if told else None)
        if told is None:
            frames = panics.at(place, self.sources)
            lost = ", and neither a panic nor libtest's word was seen: did the test close its output?"
            how = f"the process {end.how}{lost if silent else ''}"
            chain = [panics.link("exit status", how, frames)]
            return Word("failed", "exception", "", _failure("exception", chain, shown))
        return Word("failed", told.cause, "", _failure(told.cause, told.chain, shown), told.assertion)

    def judged(self, text: str, said: str, *, alone: bool) -> Word:
        """It failed in a process that it shared: what explains it of what that printed, and what libtest said of it."""
        place = Place(self.file, self.line, "::".join(self.path[1:]))
        told = panics.read(text, self.name, place, self.sources, said)
        if told is not None:
            return Word(
                "failed", told.cause, "", _failure(told.cause, told.chain, text or said), told.assertion
            )
        words = "it failed, and no panic of it was seen"
        if not alone:
            words += ": of several tests in one process nobody can say whose other words are"
        chain = [panics.link("failed", words, panics.at(place, self.sources))]
        return Word("failed", "exception", "", _failure("exception", chain, text))

    def died(self, end: End, text: str) -> Word:
        """It took the process with it in which it ran."""
        place = Place(self.file, self.line, "::".join(self.path[1:]))
        told = panics.read(text, self.name, place, self.sources)
        failure = _failure("crash", told.chain, text) if told is not None else None
        reason = f"the test process {end.how} during the test"
        return Word("crashed", "crash", reason, failure, told.assertion if told else None)


def _failure(cause: str, chain: list[dict[str, Any]], text: str) -> dict[str, Any]:
    return {"when": "call", "cause": cause, "chain": chain, "text": text}
